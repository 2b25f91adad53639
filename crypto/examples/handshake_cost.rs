//! What a handshake costs: CPU time of both sides, and the share of SLH-DSA in it.
//!
//! ```text
//! cargo run --release -p crypto --example handshake_cost [-- ROUNDS]
//! ```
//!
//! Time is that of the thread's own CPU clock, so other processes count only as far as they slow
//! the core itself; the median of the rounds leaves outliers out.
#![expect(
    clippy::print_stdout,
    reason = "a program for people; its output is its purpose"
)]

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use crypto::{Error, Identity, Mode, Prologue, primitives};
use nix::time::{ClockId, clock_gettime};
use rand::rngs::StdRng;

fn main() -> ExitCode {
    let rounds = env::args()
        .nth(1)
        .map_or(Some(20), |text| text.parse().ok());
    let Some(rounds) = rounds.filter(|rounds| (1..=10_000).contains(rounds)) else {
        eprintln!("usage: handshake_cost [ROUNDS], 1 to 10000");
        return ExitCode::from(2);
    };
    match measure(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("handshake_cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> Result<(), Error> {
    let mut rng: StdRng = rand::make_rng();
    let identity = Identity::generate(&mut rng);
    let slh = slh_dsa(rounds, &mut rng)?;
    println!("median of {rounds} rounds, milliseconds of one core\n");
    println!(
        "{:<14}{:>10}{:>10}{:>10}{:>16}",
        "mode", "client", "Worker", "both", "handshakes/s"
    );
    for mode in [Mode::Classic, Mode::PostQuantum] {
        let cost = handshake(mode, rounds, &identity, &mut rng)?;
        let [client, worker, both] =
            [cost.client, cost.worker, cost.client + cost.worker].map(milliseconds);
        let rate = 1.0 / cost.worker.as_secs_f64();
        println!(
            "{:<14}{client:>10.3}{worker:>10.3}{both:>10.3}{rate:>16.1}",
            mode.as_str()
        );
        if mode == Mode::PostQuantum {
            print_share(&slh, &cost);
        }
    }
    println!("\nhandshakes/s is what one core of a Worker can answer.");
    Ok(())
}

/// Time of each side.
struct Cost {
    client: Duration,
    worker: Duration,
}

fn handshake(
    mode: Mode,
    rounds: usize,
    identity: &Identity,
    rng: &mut StdRng,
) -> Result<Cost, Error> {
    let prologue = Prologue::new(mode, &[0; 16], "worker", "user")?;
    let (mut client, mut worker) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (begun, starting) =
            timed(|| crypto::initiate(mode, &prologue, identity.public(), &mut *rng));
        let (awaiting, message_1) = begun?;
        let (replied, answering) = timed(|| {
            crypto::accept(identity, mode, &prologue, &message_1)?.reply(identity, &mut *rng)
        });
        let (_, message_2) = replied?;
        let (finished, finishing) = timed(|| awaiting.finish(&message_2));
        finished?;
        client.push(starting + finishing);
        worker.push(answering);
    }
    Ok(Cost {
        client: median(client),
        worker: median(worker),
    })
}

/// A signature is the Worker's, its verification the client's.
fn slh_dsa(rounds: usize, rng: &mut StdRng) -> Result<Cost, Error> {
    let secret = primitives::slh_dsa_key(&[1; 32], &[2; 32], &[3; 32]);
    let public = secret.last_chunk::<64>().ok_or(Error::Key)?;
    let (mut signing, mut verifying) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut randomness = [0; 32];
        rand::Rng::fill_bytes(rng, &mut randomness);
        let (signed, time) =
            timed(|| primitives::slh_dsa_sign(&*secret, b"context", &[4; 64], Some(&randomness)));
        signing.push(time);
        let signature = signed?;
        let (verifies, time) =
            timed(|| primitives::slh_dsa_verifies(public, b"context", &[4; 64], &signature));
        verifying.push(time);
        if !verifies {
            return Err(Error::WorkerSignature);
        }
    }
    Ok(Cost {
        client: median(verifying),
        worker: median(signing),
    })
}

fn print_share(slh: &Cost, whole: &Cost) {
    let both = slh.client + slh.worker;
    let [client, worker, sum] = [slh.client, slh.worker, both].map(milliseconds);
    println!(
        "{:<14}{client:>10.3}{worker:>10.3}{sum:>10.3}",
        "  of it SLH-DSA"
    );
    let share = |part: Duration, of: Duration| 100.0 * part.as_secs_f64() / of.as_secs_f64();
    println!(
        "{:<14}{:>9.1}%{:>9.1}%{:>9.1}%",
        "  its share",
        share(slh.client, whole.client),
        share(slh.worker, whole.worker),
        share(both, whole.client + whole.worker),
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = cpu_time();
    let result = work();
    (result, cpu_time().saturating_sub(start))
}

/// CPU time of this thread so far; zero where the platform has no such clock.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
