// The same in Rust, whose Mutex and Condvar call futex through syscall().
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

static SHARED: Mutex<u32> = Mutex::new(0);

fn say(thread: &str, cause: &str, function: &str, count: u64, time: Duration) {
    println!(
        "{{\"thread\":\"{thread}\",\"cause\":\"{cause}\",\"function\":\"{function}\",\"count\":{count},\"ns\":{}}}",
        time.as_nanos()
    );
}

#[inline(never)]
fn wait_for_mutex() -> Duration {
    let start = Instant::now();
    let mut guard = SHARED.lock().unwrap();
    let time = start.elapsed();
    *guard += 1;
    time
}

#[inline(never)]
fn wait_for_condvar(pair: &(Mutex<bool>, Condvar)) -> Duration {
    let mut ready = pair.0.lock().unwrap();
    let mut time = Duration::ZERO;
    while !*ready {
        let start = Instant::now();
        ready = pair.1.wait(ready).unwrap();
        time += start.elapsed();
    }
    time
}

#[inline(never)]
fn receive_one(receiver: &mpsc::Receiver<u32>) -> (u32, Duration) {
    let start = Instant::now();
    let value = receiver.recv().unwrap();
    (value, start.elapsed())
}

#[inline(never)]
fn take_a_nap() -> Duration {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(60));
    start.elapsed()
}

fn named<T: Send + 'static>(name: &str, f: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.into()).spawn(f).unwrap()
}

fn main() {
    let pause = || thread::sleep(Duration::from_millis(80));

    let guard = SHARED.lock().unwrap();
    let waiter = named("mutexer", wait_for_mutex);
    pause();
    drop(guard);
    say("mutexer", "futex", "rust::wait_for_mutex", 1, waiter.join().unwrap());

    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = pair.clone();
    let waiter = named("condvarer", move || wait_for_condvar(&theirs));
    pause();
    *pair.0.lock().unwrap() = true;
    pair.1.notify_one();
    say("condvarer", "futex", "rust::wait_for_condvar", 1, waiter.join().unwrap());

    let (sender, receiver) = mpsc::channel();
    let waiter = named("receiver", move || receive_one(&receiver));
    pause();
    sender.send(42).unwrap();
    let (value, time) = waiter.join().unwrap();
    println!("received {value}");
    say("receiver", "futex", "rust::receive_one", 1, time);

    let sleeper = named("sleeper", take_a_nap);
    say("sleeper", "sleep", "rust::take_a_nap", 1, sleeper.join().unwrap());

    let result = named("panicker", || -> () {
        std::panic::resume_unwind(Box::new("a panic"));
    })
    .join();
    println!("panicked {}", result.is_err());
}
