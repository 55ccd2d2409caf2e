//! CPU per governed `tools/call` against nginx passing the same bytes with no checks, and against the server answering
//! them itself, on the same core in the same run.
//!
//! Bounded: a fixed number of calls over loopback to a server of its own; ends what it started.
#![expect(clippy::print_stdout, reason = "the figures are the product")]

mod gate;
mod load;
mod process;

use std::time::Duration;

use process::Proxy;

/// Open connections of the load.
const CONNECTIONS: usize = 32;

struct Options {
    calls: usize,
    rounds: usize,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    if std::env::args().nth(1).as_deref() == Some(gate::SERVE) {
        println!("{}", load::upstream()?);
        park();
    }
    let options = options()?;
    process::pin_self(1)?;
    let upstream = load::upstream()?;
    let folder = tempfile::tempdir()?;
    let gate = gate::portreeve(folder.path(), upstream)?;
    let nginx = gate::nginx(folder.path(), upstream)?;
    let direct = gate::direct()?;
    let request = gate.request();

    let mut figures = [
        ("direct", &direct.proxy, Vec::new()),
        ("nginx", &nginx.proxy, Vec::new()),
        ("portreeve", &gate.proxy, Vec::new()),
    ];
    for (_, proxy, _) in &figures {
        load::run(proxy.address, &request(proxy.address), CONNECTIONS, options.calls / 10)?;
    }
    for round in 1..=options.rounds {
        for (name, proxy, seen) in &mut figures {
            let micros = measure(proxy, &request(proxy.address), options.calls)?;
            println!("round {round}  {name:<10} {micros:>7.2} µs CPU per call");
            seen.push(micros);
        }
    }
    let [direct_micros, nginx_micros, gate_micros] = figures.map(|(_, _, seen)| median(seen));
    println!("\nmedian     direct     {direct_micros:>7.2} µs CPU per call");
    println!("median     nginx      {nginx_micros:>7.2} µs CPU per call");
    println!("median     portreeve  {gate_micros:>7.2} µs CPU per call");
    println!("ratio      portreeve / nginx  = {:.2}", gate_micros / nginx_micros);
    println!("ratio      portreeve / direct = {:.2}", gate_micros / direct_micros);

    let idle = Duration::from_secs(10);
    let before = gate.proxy.cpu()?;
    std::thread::sleep(idle);
    let spent = gate.proxy.cpu()?.saturating_sub(before);
    println!(
        "idle       {:.2} % of one core over {} s",
        100.0 * spent.as_secs_f64() / idle.as_secs_f64(),
        idle.as_secs()
    );
    println!("memory     {:.1} MiB resident", gate.proxy.resident_mib()?);
    Ok(())
}

/// Serves until it is ended.
fn park() -> ! {
    loop {
        std::thread::park();
    }
}

fn options() -> Outcome<Options> {
    let mut options = Options {
        calls: 20_000,
        rounds: 5,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or("an option needs a number")?.parse()?;
        match name.as_str() {
            "--calls" => options.calls = value,
            "--rounds" => options.rounds = value,
            _ => return Err(format!("unknown option {name}; there are --calls N and --rounds N").into()),
        }
    }
    Ok(options)
}

fn measure(proxy: &Proxy, request: &[u8], calls: usize) -> Outcome<f64> {
    let before = proxy.cpu()?;
    load::run(proxy.address, request, CONNECTIONS, calls)?;
    let spent = proxy.cpu()?.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / calls as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
