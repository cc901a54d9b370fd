// HotSpot's ways to wait: monitors, wait/notify, LockSupport, queues, sleep, join.
import java.util.concurrent.*;
import java.util.concurrent.locks.*;

public class Threads {
    static final Object monitor = new Object();
    static long shared;

    static void contend() {
        for (int i = 0; i < 200; i++) {
            synchronized (monitor) {
                for (int j = 0; j < 20000; j++) shared = (shared * 31 + 7) % 1000003;
                try { Thread.sleep(1); } catch (InterruptedException e) { throw new RuntimeException(e); }
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Thread[] contenders = new Thread[4];
        for (int i = 0; i < contenders.length; i++) contenders[i] = new Thread(Threads::contend, "contender" + i);
        for (Thread t : contenders) t.start();

        BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(2);
        long[] sum = new long[1];
        Thread consumer = new Thread(() -> {
            try { for (int n; (n = queue.take()) >= 0;) sum[0] += n; } catch (InterruptedException e) { }
        }, "consumer");
        consumer.start();
        for (int i = 0; i < 300; i++) { queue.put(i); if (i % 10 == 0) Thread.sleep(1); }
        queue.put(-1);
        consumer.join();

        Thread parker = new Thread(() -> { for (int i = 0; i < 100; i++) LockSupport.parkNanos(2000000); }, "parker");
        parker.start();
        ReentrantLock lock = new ReentrantLock();
        ExecutorService pool = Executors.newFixedThreadPool(3);
        int[] count = new int[1];
        for (int i = 0; i < 200; i++) pool.submit(() -> { lock.lock(); try { count[0]++; Thread.sleep(1); } catch (InterruptedException e) { } finally { lock.unlock(); } });
        pool.shutdown();
        System.out.println(pool.awaitTermination(60, TimeUnit.SECONDS) + " " + count[0]);
        parker.join();
        for (Thread t : contenders) t.join();
        System.out.println(shared + " " + sum[0]);
    }
}
