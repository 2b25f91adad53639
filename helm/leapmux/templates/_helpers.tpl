{{- define "leapmux.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "leapmux.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "leapmux.labels" -}}
{{ include "leapmux.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Where Secrets are mounted. */}}
{{- define "leapmux.mailSecret" -}}/etc/leapmux-mail{{- end -}}
{{- define "leapmux.postgresSecret" -}}/etc/leapmux-postgres{{- end -}}

{{/* The Hub's YAML file. */}}
{{- define "leapmux.config" -}}
{{- $drain := dict "timeout_ms" (mul .Values.shutdown.drainSeconds 1000) -}}
{{- $config := dict
      "listen" (printf "0.0.0.0:%d" (int .Values.listen.port))
      "admin_listen" (printf "0.0.0.0:%d" (int .Values.listen.adminPort))
      "data_dir" "/data"
      "public_url" .Values.publicUrl
      "trusted_proxies" .Values.trustedProxies
      "sign_up" .Values.signUp
      "log_level" .Values.logLevel
      "log_format" "json"
      "drain" $drain -}}
{{- with .Values.mail -}}
{{- if .host -}}
{{- $mail := dict "host" .host "port" .port "security" .security -}}
{{- with .from -}}{{- $_ := set $mail "from" . -}}{{- end -}}
{{- with .username -}}{{- $_ := set $mail "username" . -}}{{- end -}}
{{- if .passwordSecret.name -}}
{{- $_ := set $mail "password_file" (printf "%s/%s" (include "leapmux.mailSecret" $) .passwordSecret.key) -}}
{{- end -}}
{{- $_ := set $config "mail" $mail -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.storage.type "postgres" -}}
{{- $file := printf "%s/%s" (include "leapmux.postgresSecret" .) .Values.storage.postgresDsnSecret.key -}}
{{- $storage := dict "type" "postgres" "postgres_dsn_file" $file "connections" .Values.storage.connections -}}
{{- $_ := set $config "storage" $storage -}}
{{- end -}}
{{- with .Values.quotas -}}{{- $_ := set $config "quotas" . -}}{{- end -}}
{{- with .Values.organisations -}}{{- $_ := set $config "organisations" . -}}{{- end -}}
{{- mustMergeOverwrite $config (deepCopy .Values.extraConfig) | toYaml -}}
{{- end -}}
