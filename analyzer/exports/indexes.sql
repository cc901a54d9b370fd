CREATE INDEX intervals_thread ON intervals (thread, start_ns);
CREATE INDEX intervals_cause ON intervals (cause, blocked_ns);
CREATE INDEX intervals_stack ON intervals (stack);
CREATE INDEX wakes_waker ON wakes (waker);
CREATE INDEX states_thread ON states (thread, start_ns);
CREATE INDEX threads_tid ON threads (tid);
CREATE INDEX regions_thread ON regions (thread, start_ns);
CREATE INDEX tasks_number ON tasks (number);
