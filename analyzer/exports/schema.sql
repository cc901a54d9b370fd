/* The database of a trace: docs/sql.md. Times are ns since the trace began. */
CREATE TABLE trace (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE causes (name TEXT PRIMARY KEY, category TEXT, description TEXT) WITHOUT ROWID;
CREATE TABLE processes (id INTEGER PRIMARY KEY, pid INTEGER, parent_pid INTEGER, start_ns INTEGER, end_ns INTEGER, executable TEXT, command TEXT);
CREATE TABLE threads (id INTEGER PRIMARY KEY, process INTEGER REFERENCES processes, tid INTEGER, name TEXT, start_ns INTEGER, end_ns INTEGER, lifetime_ns INTEGER, running_ns INTEGER, runnable_ns INTEGER, blocked_ns INTEGER, unexplained_ns INTEGER);
CREATE TABLE stacks (id INTEGER PRIMARY KEY, function TEXT, file TEXT, line INTEGER, depth INTEGER);
CREATE TABLE frames (stack INTEGER REFERENCES stacks, depth INTEGER, function TEXT, file TEXT, line INTEGER, module TEXT, offset INTEGER, inlined INTEGER, PRIMARY KEY (stack, depth)) WITHOUT ROWID;
CREATE TABLE intervals (id INTEGER PRIMARY KEY, thread INTEGER REFERENCES threads, start_ns INTEGER, end_ns INTEGER, blocked_ns INTEGER, ready_ns INTEGER, cause TEXT REFERENCES causes, call TEXT, object TEXT, stack INTEGER REFERENCES stacks, owner_tid INTEGER, result INTEGER, open INTEGER);
CREATE TABLE wakes (interval INTEGER PRIMARY KEY REFERENCES intervals, ended_by TEXT, waker INTEGER REFERENCES threads, waker_name TEXT, release_ns INTEGER, stack INTEGER REFERENCES stacks);
CREATE TABLE states (thread INTEGER REFERENCES threads, state TEXT, cpu INTEGER, start_ns INTEGER, end_ns INTEGER);
CREATE TABLE locks (id INTEGER PRIMARY KEY, process INTEGER REFERENCES processes, address INTEGER, name TEXT, kind TEXT, acquisitions INTEGER, contended INTEGER, wait_ns INTEGER, max_wait_ns INTEGER, hold_ns INTEGER, max_hold_ns INTEGER);
CREATE TABLE regions (id INTEGER PRIMARY KEY, thread INTEGER REFERENCES threads, name TEXT, task TEXT, depth INTEGER, start_ns INTEGER, end_ns INTEGER);
CREATE TABLE tasks (id INTEGER PRIMARY KEY, number INTEGER, name TEXT, parent INTEGER, thread INTEGER REFERENCES threads, end_thread INTEGER REFERENCES threads, start_ns INTEGER, end_ns INTEGER);
CREATE TABLE logs (thread INTEGER REFERENCES threads, time_ns INTEGER, task INTEGER, category TEXT, message TEXT);
CREATE VIEW waits AS SELECT i.id, p.pid, t.tid, t.name AS thread, i.start_ns, i.end_ns, i.blocked_ns, i.cause, c.category, i.call, i.object, s.function, s.file, s.line, w.ended_by, w.waker_name AS waker, w.release_ns, ws.function AS waker_function FROM intervals i JOIN threads t ON t.id = i.thread JOIN processes p ON p.id = t.process JOIN causes c ON c.name = i.cause LEFT JOIN stacks s ON s.id = i.stack LEFT JOIN wakes w ON w.interval = i.id LEFT JOIN stacks ws ON ws.id = w.stack;
