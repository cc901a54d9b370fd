// Rust's standard library calls futex itself, through syscall(): Mutex, Condvar, mpsc, park.
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

fn named<T: Send + 'static>(name: &str, f: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.into()).spawn(f).unwrap()
}

fn main() {
    let shared = Arc::new(Mutex::new(0u64));
    let contenders: Vec<_> = (0..4)
        .map(|i| {
            let shared = shared.clone();
            named(&format!("contender{i}"), move || {
                for _ in 0..150 {
                    let mut value = shared.lock().unwrap();
                    *value += 1;
                    thread::sleep(Duration::from_millis(1));
                }
            })
        })
        .collect();

    let turn = Arc::new((Mutex::new(0u32), Condvar::new()));
    let players: Vec<_> = (0..2u32)
        .map(|me| {
            let turn = turn.clone();
            named(&format!("player{me}"), move || {
                for _ in 0..3000 {
                    let mut at = turn.1.wait_while(turn.0.lock().unwrap(), |at| *at % 2 != me).unwrap();
                    *at += 1;
                    turn.1.notify_all();
                }
            })
        })
        .collect();

    let (sender, receiver) = mpsc::sync_channel(1);
    let receiver = named("receiver", move || receiver.iter().sum::<u64>());
    for i in 0..300u64 {
        sender.send(i).unwrap();
        if i % 10 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
    }
    drop(sender);

    let parks = Arc::new(AtomicU32::new(0));
    let seen = parks.clone();
    let parker = named("parker", move || {
        while seen.load(Ordering::Acquire) < 100 {
            thread::park();
        }
    });
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(1));
        parks.fetch_add(1, Ordering::Release);
        parker.thread().unpark();
    }
    parker.join().unwrap();
    contenders.into_iter().for_each(|t| t.join().unwrap());
    players.into_iter().for_each(|t| t.join().unwrap());
    println!("{} {} {}", shared.lock().unwrap(), turn.0.lock().unwrap(), receiver.join().unwrap());
}
