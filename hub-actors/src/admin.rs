//! The admin door: is it alive, is it ready, what does it count. Never on the public port.

use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::Server, web};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    messages::TakeCensus,
    state::{State, ask},
    telemetry,
};

struct Admin {
    state: Arc<State>,
    figures: Option<PrometheusHandle>,
}

/// Serves the door until the server is stopped.
pub(crate) fn serve(
    listener: TcpListener,
    state: Arc<State>,
    figures: Option<PrometheusHandle>,
) -> std::io::Result<Server> {
    let admin = web::Data::new(Admin { state, figures });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(admin.clone())
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/startupz", web::get().to(startupz))
            .route("/metrics", web::get().to(metrics))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

/// Whether our actors turn; the database is none of its business.
async fn livez(admin: web::Data<Admin>) -> HttpResponse {
    report(
        &[(
            "registry",
            ask(&admin.state.registry, TakeCensus).await.is_ok(),
        )],
        true,
    )
}

/// Whether new work is welcome.
async fn readyz(request: HttpRequest, admin: web::Data<Admin>) -> HttpResponse {
    let checks = [
        ("database", admin.state.store.answers().await),
        (
            "registry",
            ask(&admin.state.registry, TakeCensus).await.is_ok(),
        ),
        ("not_draining", !admin.state.is_draining()),
    ];
    telemetry::ready(checks.iter().all(|(_, passed)| *passed));
    let verbose = request
        .query_string()
        .split('&')
        .any(|one| one.starts_with("verbose"));
    report(&checks, verbose)
}

/// This door opens when everything before it was done, migrations included.
async fn startupz() -> HttpResponse {
    report(&[("migrations", true)], true)
}

fn report(checks: &[(&str, bool)], verbose: bool) -> HttpResponse {
    let passed = checks.iter().all(|(_, passed)| *passed);
    let mut text = String::from(if passed { "ok\n" } else { "not ok\n" });
    for (name, passed) in checks.iter().filter(|(_, passed)| verbose || !passed) {
        text.push_str(if *passed { "[+] " } else { "[-] " });
        text.push_str(name);
        text.push('\n');
    }
    let mut answer = if passed {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    answer.content_type("text/plain; charset=utf-8").body(text)
}

async fn metrics(admin: web::Data<Admin>) -> HttpResponse {
    match &admin.figures {
        Some(handle) => {
            handle.run_upkeep();
            HttpResponse::Ok()
                .content_type("text/plain; version=0.0.4; charset=utf-8")
                .body(handle.render())
        }
        None => HttpResponse::NotFound().body("this process keeps its metrics elsewhere\n"),
    }
}
