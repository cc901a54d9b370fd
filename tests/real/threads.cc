// libstdc++: mutex and condition_variable are pthread's; atomic::wait calls futex through syscall().
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static std::thread named(const char *name, auto f)
{
	return std::thread([=] {
		pthread_setname_np(pthread_self(), name);
		f();
	});
}

int main()
{
	static std::mutex mutex, turn_mutex;
	static std::condition_variable turned;
	static std::atomic<int> door, through, shared;
	static int turn;
	std::vector<std::thread> threads;

	for (int i = 0; i < 4; i++)
		threads.push_back(named("contender", [] {
			for (int n = 0; n < 150; n++) {
				std::lock_guard<std::mutex> lock(mutex);

				shared++;
				std::this_thread::sleep_for(1ms);
			}
		}));
	for (int me = 0; me < 2; me++)
		threads.push_back(named("player", [me] {
			for (int n = 0; n < 3000; n++) {
				std::unique_lock<std::mutex> lock(turn_mutex);

				turned.wait(lock, [me] { return turn % 2 == me; });
				turn++;
				turned.notify_all();
			}
		}));
	threads.push_back(named("atomic", [] {
		for (int n = 0; n < 200; n++) {
			door.wait(n);
			through++;
			through.notify_all();
		}
	}));
	for (int n = 0; n < 200; n++) {
		std::this_thread::sleep_for(1ms);
		door++;
		door.notify_all();
		through.wait(n);
	}
	for (auto &t : threads)
		t.join();
	std::cout << shared << ' ' << turn << ' ' << door << std::endl;
}
