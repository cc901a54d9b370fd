// ctrace.h for Rust: the functions are looked up once; where there is no ctrace nothing happens.
use std::ffi::{c_char, c_void, CString};
use std::sync::OnceLock;
use std::{thread, time::Duration};

mod ctrace {
    use super::*;

    #[repr(C)]
    pub struct Calls {
        bytes: u64,
        region_begin: extern "C" fn(u64, *const c_char),
        region_end: extern "C" fn(*const c_char),
        task_begin: extern "C" fn(*const c_char, u64) -> u64,
        task_end: extern "C" fn(u64),
        log: extern "C" fn(u64, *const c_char, *const c_char),
    }

    extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    fn calls() -> Option<&'static Calls> {
        static FOUND: OnceLock<Option<&'static Calls>> = OnceLock::new();
        *FOUND.get_or_init(|| unsafe {
            let found = dlsym(std::ptr::null_mut(), b"ctrace_calls_v1\0".as_ptr().cast());
            (found as *const Calls).as_ref()
        })
    }

    fn text(s: &str) -> CString {
        CString::new(s).unwrap_or_default()
    }

    /// Ends with its scope.
    pub struct Region(Option<CString>);

    pub fn region(name: &str, task: u64) -> Region {
        Region(calls().map(|c| {
            let name = text(name);
            (c.region_begin)(task, name.as_ptr());
            name
        }))
    }

    impl Drop for Region {
        fn drop(&mut self) {
            if let (Some(c), Some(name)) = (calls(), &self.0) {
                (c.region_end)(name.as_ptr());
            }
        }
    }

    pub fn task_begin(name: &str, parent: u64) -> u64 {
        calls().map_or(0, |c| (c.task_begin)(text(name).as_ptr(), parent))
    }

    pub fn task_end(task: u64) {
        if let Some(c) = calls() {
            (c.task_end)(task);
        }
    }

    pub fn log(category: &str, message: &str) {
        if let Some(c) = calls() {
            (c.log)(0, text(category).as_ptr(), text(message).as_ptr());
        }
    }
}

fn main() {
    let _main = ctrace::region("main", 0);
    for i in 0..5 {
        let task = ctrace::task_begin("request", 0);
        let worker = thread::spawn(move || {
            let _serve = ctrace::region("serve", task);
            thread::sleep(Duration::from_millis(2));
            ctrace::log("serve", &format!("request {i}"));
        });
        worker.join().unwrap();
        ctrace::task_end(task);
    }
}
