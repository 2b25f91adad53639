//! The admin door: is it alive, is it ready, what does it count. Never on the public port.

use std::{net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::{BoxBody, MessageBody},
    dev::{Server, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Next, from_fn},
    web,
};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    folder,
    messages::TakeCensus,
    origin,
    state::{State, ask},
    telemetry::{self, Strange},
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
            .wrap(from_fn(guard))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

/// No page of another site may read this door under a name that it has rebound to us.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let host = request.headers().get(header::HOST);
    if host.is_some_and(|host| host.to_str().is_ok_and(origin::is_admin_host)) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    telemetry::stranger(Strange::Host);
    let refused = HttpResponse::MisdirectedRequest().body("ask for this by address or localhost\n");
    Ok(request.into_response(refused))
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
        ("disk", has_room(&admin.state).await),
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

/// A disk may hang, so it is asked off this thread.
async fn has_room(state: &State) -> bool {
    let folder = state.config.data_dir.clone();
    web::block(move || folder::has_room(&folder))
        .await
        .is_ok_and(|has_room| has_room)
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
            if let Ok(census) = ask(&admin.state.registry, TakeCensus).await {
                telemetry::directory(census);
            }
            HttpResponse::Ok()
                .content_type("text/plain; version=0.0.4; charset=utf-8")
                .body(handle.render())
        }
        None => HttpResponse::NotFound().body("this process keeps its metrics elsewhere\n"),
    }
}
