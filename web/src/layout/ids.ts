/** Element ids that tie a tab to its panel. */

export function tabElementId(tab: string): string {
  return `tab-${tab}`;
}

export function panelId(tab: string): string {
  return `panel-${tab}`;
}
