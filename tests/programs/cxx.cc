// The same in C++: std::thread, std::mutex, std::condition_variable, exceptions through wrapped calls.
// With an argument: threads that exceptions and pthread_exit unwind, or end with the program.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <iostream>
#include <link.h>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

#define NOINLINE __attribute__((noinline, noclone))

namespace shop
{
std::mutex counter_mutex;
std::condition_variable bell;
bool rung;

struct Said {
	const char *thread, *cause, *call, *function, *object;
	unsigned long count;
	std::chrono::nanoseconds time;

	void say() const
	{
		std::printf("{\"thread\":\"%s\",\"cause\":\"%s\",\"call\":\"%s\",\"function\":\"%s\",", thread, cause, call,
			    function);
		if (object)
			std::printf("\"object\":\"%s\",", object);
		std::printf("\"count\":%lu,\"ns\":%lld}\n", count, (long long)time.count());
	}
};

class Customer
{
	Said &said;

      public:
	explicit Customer(Said &s) : said(s)
	{
	}

	NOINLINE void queue_up()
	{
		auto start = std::chrono::steady_clock::now();
		counter_mutex.lock();
		said.time += std::chrono::steady_clock::now() - start;
		said.count++;
		counter_mutex.unlock();
	}

	NOINLINE void wait_for_bell()
	{
		std::unique_lock<std::mutex> lock(counter_mutex);

		while (!rung) {
			auto start = std::chrono::steady_clock::now();
			bell.wait(lock);
			said.time += std::chrono::steady_clock::now() - start;
			said.count++;
		}
	}
};
}

namespace ends
{
// Waits while the stack is unwound.
struct Frame {
	const char *name;

	~Frame()
	{
		usleep(1000);
		std::printf("~%s\n", name);
	}
};

NOINLINE void throw_below(int frames)
{
	Frame frame{ "thrown through" };

	if (!frames)
		throw std::runtime_error("from below");
	throw_below(frames - 1);
}

void (*volatile exit_thread)(void *) = pthread_exit;

NOINLINE void exit_below(int frames)
{
	Frame frame{ "exited through" };

	if (!frames) {
		exit_thread(reinterpret_cast<void *>(5));
		return; // never, but the compiler may not know
	}
	exit_below(frames - 1);
}

void *exits(void *)
{
	exit_below(3);
	return nullptr;
}

void leave() noexcept
{
	pthread_exit(nullptr);
}

void *exits_through_noexcept(void *)
{
	leave();
	return nullptr;
}

void *last(void *)
{
	std::this_thread::sleep_for(20ms);
	std::printf("last\n");
	return nullptr;
}

void join(void *(*routine)(void *))
{
	pthread_t t;
	void *result;

	pthread_create(&t, nullptr, routine, nullptr);
	pthread_join(t, &result);
	std::printf("result %p\n", result);
}

int run(const char *how)
{
	pthread_t t;

	std::setvbuf(stdout, nullptr, _IONBF, 0);
	if (!std::strcmp(how, "caught")) {
		std::thread([] {
			thread_local Frame local{ "thread_local" };

			try {
				throw_below(3);
			} catch (const std::exception &e) {
				std::printf("caught %s by %s\n", e.what(), local.name);
			}
		}).join();
		join(exits);
		try {
			std::async(std::launch::async, [] {
				std::this_thread::sleep_for(1ms);
				throw 5;
			}).get();
		} catch (int i) {
			std::printf("caught %d\n", i);
		}
		return 0;
	}
	if (!std::strcmp(how, "uncaught"))
		std::thread(throw_below, 3).join();
	if (!std::strcmp(how, "noexcept"))
		join(exits_through_noexcept);
	if (!std::strcmp(how, "last")) {
		pthread_create(&t, nullptr, last, nullptr);
		pthread_exit(nullptr);
	}
	return 2;
}
}

// The library's streams, and callbacks of C functions that throw.
namespace streams
{
int ends[2];

template <typename F> void timed(shop::Said &said, F wait)
{
	auto start = std::chrono::steady_clock::now();
	wait();
	said.time += std::chrono::steady_clock::now() - start;
	said.count++;
}

NOINLINE int read_number(shop::Said &said)
{
	int n = 0;

	timed(said, [&] { std::cin >> n; });
	return n;
}

NOINLINE void read_line(std::istream &in, shop::Said &said)
{
	std::string line;

	timed(said, [&] { std::getline(in, line); });
	std::cout << line << std::endl;
}

NOINLINE void write_text(shop::Said &said)
{
	timed(said, [] { std::cout << "text " << 5 << std::flush; });
}

NOINLINE void open_file(std::ifstream &f, shop::Said &said)
{
	timed(said, [&] { f.open("cxx.fifo"); });
}

template <typename F> std::thread later(F act)
{
	return std::thread([=] {
		pthread_setname_np(pthread_self(), "peer");
		std::this_thread::sleep_for(60ms);
		act();
	});
}

void put(const char *text)
{
	if (write(ends[1], text, std::strlen(text)) < 0)
		std::abort();
}

int run()
{
	shop::Said number = { "main", "pipe", "fgetc", "streams::read_number", "pipe", 0, 0ns };
	shop::Said line = { "main", "pipe", "fgetc", "streams::read_line", "pipe", 0, 0ns };
	shop::Said file = { "main", "pipe", "read", "streams::read_line", "cxx.fifo", 0, 0ns };
	shop::Said text = { "main", "pipe", "fflush", "streams::write_text", "pipe", 0, 0ns };
	shop::Said open_ = { "main", "pipe", "fopen", "streams::open_file", "cxx.fifo", 0, 0ns };
	static char block[4096];
	int saved = dup(1);

	if (pipe(ends) || dup2(ends[0], 0))
		return 99;
	auto t = later([] { put("12 "); });
	std::cout << read_number(number) << std::endl;
	t.join();
	t = later([] { put("a line\n"); });
	read_line(std::cin, line);
	t.join();

	if (pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, 4096) != 4096 || write(ends[1], block, 4096) != 4096)
		return 99;
	dup2(ends[1], 1);
	t = later([] {
		if (read(ends[0], block, 4096) != 4096)
			std::abort();
	});
	write_text(text);
	t.join();
	dup2(saved, 1);
	std::cout << std::string(block, size_t(read(ends[0], block, 4096))) << std::endl;

	if (mkfifo("cxx.fifo", 0600))
		return 99;
	std::ifstream f;

	t = later([] {
		ends[1] = open("cxx.fifo", O_WRONLY);
		std::this_thread::sleep_for(60ms);
		put("from a file\n");
	});
	open_file(f, open_);
	read_line(f, file);
	t.join();
	unlink("cxx.fifo");
	for (const shop::Said *s : { &number, &line, &file, &text, &open_ })
		s->say();
	return 0;
}

int throws_here(dl_phdr_info *, size_t, void *)
{
	throw std::runtime_error("from a callback");
}

NOINLINE void sleep_deep(int frames, shop::Said &said)
{
	volatile char room[512] = { 0 }; // so that it sleeps below what was left

	if (frames) {
		sleep_deep(frames - 1, said);
		room[0] = room[1];
		return;
	}
	timed(said, [] { std::this_thread::sleep_for(30ms); });
}

int throws()
{
	shop::Said nap = { "main", "sleep", "nanosleep", "streams::sleep_deep", nullptr, 0, 0ns };

	for (int i = 0; i < 3; i++) {
		try {
			dl_iterate_phdr(throws_here, nullptr);
		} catch (const std::exception &e) {
			std::cout << e.what() << std::endl;
		}
		sleep_deep(3 * i, nap);
	}
	nap.say();
	return 0;
}
}

int main(int argc, char **argv)
{
	using namespace shop;
	pthread_setname_np(pthread_self(), "main");
	if (argc > 1 && !std::strcmp(argv[1], "streams"))
		return streams::run();
	if (argc > 1 && !std::strcmp(argv[1], "throws"))
		return streams::throws();
	if (argc > 1)
		return ends::run(argv[1]);
	Said mutex = { "customer", "mutex", "pthread_mutex_lock", "shop::Customer::queue_up", "counter_mutex", 0, 0ns };
	Said cond = { "listener", "cond", "pthread_cond_wait", "shop::Customer::wait_for_bell", "bell", 0, 0ns };

	counter_mutex.lock();
	std::thread customer([&] {
		pthread_setname_np(pthread_self(), "customer");
		Customer(mutex).queue_up();
	});
	std::this_thread::sleep_for(80ms);
	counter_mutex.unlock();
	customer.join();

	std::thread listener([&] {
		pthread_setname_np(pthread_self(), "listener");
		Customer(cond).wait_for_bell();
	});
	std::this_thread::sleep_for(80ms);
	{
		std::lock_guard<std::mutex> lock(counter_mutex);
		rung = true;
	}
	bell.notify_one();
	listener.join();
	mutex.say();
	cond.say();
	try {
		std::thread thrower([] { std::this_thread::sleep_for(1ms); });
		std::thread joiner(std::move(thrower));

		joiner.join();
		joiner.join(); // not joinable: throws
	} catch (const std::exception &e) {
		std::printf("caught %s\n", e.what());
	}
	return 0;
}
