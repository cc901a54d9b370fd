"""Four threads that compute, for one interpreter lock; a queue between two."""
import queue
import threading
import time


def work(n):
    x = 0
    for i in range(n):
        x = (x * 1103515245 + i) % 2147483648
    return x


results = [0] * 4


def thread(i):
    results[i] = work(4000000)


threads = [threading.Thread(target=thread, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()

q = queue.Queue(2)


def produce():
    for i in range(200):
        q.put(i)
        time.sleep(0.001)
    q.put(None)


threading.Thread(target=produce).start()
got = 0
while (item := q.get()) is not None:
    got += item
print(results, got)
