//! `salon serve`: listen, open, start, tell, wait, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use salon_core::ports::Store;
use salon_gateway::http::{Assets, Check, Front, HttpConfig, HttpLimits, MetricsToken, Ops, Origin, ReadyFuture};
use salon_gateway::{Gateway, GatewayConfig, http};
use salon_proto::link;
use salon_service::Service;
use salon_service::grpc::GrpcConfig;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::banner::{self, Language};
use crate::config::{BadConfig, Settings, unknown_variables};
use crate::open_files;
use crate::wiring::Engine;

/// Where draining has used up its time, what is left to end has this much more.
const END_TIMEOUT: Duration = Duration::from_millis(200);
/// Closing the database moves what was written last into it; a start after that has nothing to recover.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let settings = settings.complete()?;
    settings.check()?;
    warn_about_variables();
    // From here on a signal is a wish to end in order, whatever has been started by then.
    let signals = Signals::listen()?;
    let listeners = listen(&settings.http_addrs(), "http_addr").await?;
    let grpc = listen(&[settings.grpc_addr()], "grpc_addr").await?;
    let grpc_addr = grpc.first().context("there is no gRPC listener")?.local_addr()?;
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let first = *addresses.first().context("there is no listener")?;
    let origins = settings.origins(first);
    let public_url = origins.first().cloned().unwrap_or_default();

    let engine = Engine::open_for(&settings, public_url.clone()).await?;
    let server = Server::start(&settings, &engine, &origins).await?;
    let language = Language::of_the_terminal();
    if let Some(link) = server.service.auth().setup_link().await? {
        println!("{}", banner::setup_line(language, link.expose()));
    }
    for listener in listeners {
        server.tasks.spawn(http::serve(listener, server.front.clone()));
    }
    for listener in grpc {
        let config = GrpcConfig {
            origins: origins.clone(),
            drain_timeout: Duration::from_secs(settings.drain_s()),
            ..GrpcConfig::default()
        };
        server.tasks.spawn(salon_service::grpc::serve(listener, server.service.clone(), config, server.draining.clone()));
    }
    banner::print(language, &public_url, &addresses, grpc_addr);
    println!("salon ready http=http://{first} grpc=http://{grpc_addr} metrics=http://{first}/metrics");

    let ended = wait_for_the_end(signals, &*engine.parts.store).await;
    server.drain(Duration::from_secs(settings.drain_s())).await;
    if timeout(CLOSE_TIMEOUT, engine.close()).await.is_err() {
        tracing::error!("the database took too long to close; the next start recovers");
    }
    ended
}

fn warn_about_variables() {
    for name in unknown_variables() {
        tracing::warn!(%name, "nothing reads this variable; .env.example lists those that exist");
    }
}

async fn listen(addresses: &[SocketAddr], key: &str) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            BadConfig::new(key, address, format!("cannot listen there: {error}; choose another address or port"))
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }
}

/// A signal ends in order; a store that cannot be trusted ends with an error (G1).
async fn wait_for_the_end(mut signals: Signals, store: &dyn Store) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        reason = store.failed() => Err(anyhow::anyhow!("the store has failed and nothing more can be promised: {reason}")),
        _ = signals.terminate.recv() => Ok(()),
        _ = signals.interrupt.recv() => Ok(()),
    }
}

/// Gateway and service, joined by an in-process link.
struct Server {
    service: Arc<Service>,
    gateway: Arc<Gateway>,
    front: Arc<Front>,
    tasks: TaskTracker,
    /// Ends the streams of programs, when browsers are told to come back later.
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Server {
    async fn start(settings: &Settings, engine: &Engine, origins: &[String]) -> anyhow::Result<Self> {
        let service = Service::start(engine.parts.clone()).await?;
        let (gateway_end, service_end) = link::in_process();
        service.serve_link(service_end);
        let config = GatewayConfig {
            limits: engine.parts.config.limits,
            heartbeat: Duration::from_millis(u64::from(engine.parts.config.heartbeat_ms)),
            ..GatewayConfig::default()
        };
        let gateway = Gateway::start(config, gateway_end, engine.parts.clock.clone(), engine.parts.rng.clone());
        let stopping = CancellationToken::new();
        let ops = Arc::new(Operations { service: service.clone() });
        let front = Front::new(http_config(settings, engine, origins)?, gateway.clone(), ops, page(), stopping.clone());
        Ok(Self { service, gateway, front, tasks: TaskTracker::new(), draining: CancellationToken::new(), stopping })
    }

    /// Lets clients go, then ends everything; all of it within the limit, whatever peers do.
    async fn drain(&self, limit: Duration) {
        tracing::info!(limit_s = limit.as_secs(), "draining");
        let deadline = Instant::now() + limit;
        self.draining.cancel();
        self.gateway.drain(limit).await;
        self.stopping.cancel();
        self.tasks.close();
        let ending = async {
            self.gateway.stop().await;
            self.service.stop().await;
            self.tasks.wait().await;
        };
        if timeout_at(deadline.max(Instant::now() + END_TIMEOUT), ending).await.is_err() {
            tracing::warn!("something did not end in time; it is left behind");
        }
    }
}

fn http_config(settings: &Settings, engine: &Engine, origins: &[String]) -> anyhow::Result<HttpConfig> {
    let parse = |origin: &String| {
        origin
            .parse::<Origin>()
            .map_err(|error| BadConfig::new("origin", origin, format!("{error}; write https://HOST or http://HOST:PORT")))
    };
    let default = HttpLimits::default();
    let wanted = settings.connections_max.unwrap_or(default.connections_max);
    let limits = HttpLimits {
        connections_max: open_files::connections_at_most(wanted),
        connections_per_peer_max: settings.connections_per_ip_max.unwrap_or(default.connections_per_peer_max),
        ..default
    };
    Ok(HttpConfig {
        origins: origins.iter().map(parse).collect::<Result<_, _>>()?,
        token_in_url: engine.parts.config.token_in_url,
        metrics_token: settings.metrics_token.clone().map(MetricsToken),
        limits,
        ..HttpConfig::default()
    })
}

#[cfg(feature = "ui")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is no page")]
fn page() -> Option<Arc<dyn Assets>> {
    Some(Arc::new(crate::assets::Page))
}

#[cfg(not(feature = "ui"))]
fn page() -> Option<Arc<dyn Assets>> {
    None
}

/// What operators see of the service.
#[derive(Debug)]
struct Operations {
    service: Arc<Service>,
}

impl Ops for Operations {
    fn service_metrics(&self) -> Option<String> {
        Some(self.service.metrics_text())
    }

    fn ready(&self) -> ReadyFuture<'_> {
        Box::pin(async { vec![Check { name: "service", problem: self.service.ready().await.err() }] })
    }
}
