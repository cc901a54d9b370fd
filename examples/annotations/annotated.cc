// Regions and tasks of a C++ program: they end with their scopes, also where an exception leaves them.
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

#include "ctrace.h"

static void serve(uint64_t task, int number)
{
	ctrace::region region("serve", task);

	usleep(2000);
	ctrace_logf("serve", "request %d", number);
	if (number == 3)
		throw std::runtime_error("request 3 fails");
}

static void request(int number)
{
	ctrace::task task("request");

	std::thread worker([&] {
		try {
			serve(task.id(), number);
		} catch (const std::exception &e) {
			ctrace_log("error", e.what());
		}
	});
	worker.join();
}

int main()
{
	ctrace::region region("main");

	for (int i = 0; i < 5; i++)
		request(i);
	return 0;
}
