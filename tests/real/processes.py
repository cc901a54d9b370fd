"""A pool of processes, and a queue between two."""
import multiprocessing


def work(n):
    return sum(i * i % 7 for i in range(n))


def consume(q, answer):
    answer.send(sum(iter(q.get, None)))


if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool:
        print(sum(pool.imap_unordered(work, [20000] * 1500, chunksize=4)))
    q = multiprocessing.Queue(4)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=consume, args=(q, there))
    process.start()
    for i in range(1000):
        q.put(i)
    q.put(None)
    print(here.recv())
    process.join()
    print(process.exitcode)
