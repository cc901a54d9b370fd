// The same in C++: std::thread, std::mutex, std::condition_variable, exceptions through wrapped calls.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <thread>

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

int main()
{
	using namespace shop;
	pthread_setname_np(pthread_self(), "main");
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
