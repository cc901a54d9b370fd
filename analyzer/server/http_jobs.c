/* Threads that make answers beside the server's one, so that requests do not wait for each other. See http_parts.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http_parts.h"
#include "progress.h"

#define KEYS_MOST 32u

/* Made by the server's thread, which alone looks at pending and of; a worker has it from its being taken off todo to its
 * being put on done. */
struct job {
	struct ct_request request;
	char *path, *key[KEYS_MOST], *value[KEYS_MOST]; /* MHD's live as long as the connection, which may go */
	uint32_t keys;
	bool failed;             /* there was no memory for them */
	struct ct_work work;
	struct ct_answer answer;
	struct pending *pending; /* NULL: nobody wants it any more */
	struct ct_progress_watch watch;
	struct job *next;
};

struct ct_jobs {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *todo, *done; /* todo: in the order of their coming */
	bool stop;
	int done_fd;             /* eventfd */
	uint32_t workers;
	pthread_t worker[CT_HTTP_WORKERS];
};

/* --- workers --- */

static void do_job(struct ct_jobs *j, struct job *job)
{
	uint64_t one = 1;

	ct_progress_watch(&job->watch);
	job->work.answer(job->work.of, &job->request, &job->answer);
	ct_progress_watch(NULL);
	pthread_mutex_lock(&j->lock);
	job->next = j->done;
	j->done = job;
	pthread_mutex_unlock(&j->lock);
	if (write(j->done_fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* an eventfd takes one */
}

static void *work(void *self)
{
	struct ct_jobs *j = self;

	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		struct job *job = j->todo;

		if (!job) {
			pthread_cond_wait(&j->more, &j->lock);
			continue;
		}
		j->todo = job->next;
		pthread_mutex_unlock(&j->lock);
		do_job(j, job);
		pthread_mutex_lock(&j->lock);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* --- the server's thread --- */

static const char *value_of(const struct ct_request *r, const char *key)
{
	const struct job *job = r->of;

	for (uint32_t i = 0; i < job->keys; i++)
		if (!strcmp(job->key[i], key))
			return job->value[i];
	return NULL;
}

static enum MHD_Result copy_value(void *self, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct job *job = self;

	(void)kind;
	if (!value || job->keys == KEYS_MOST)
		return MHD_YES;
	job->key[job->keys] = strdup(key);
	job->value[job->keys] = strdup(value);
	job->failed = !job->key[job->keys] || !job->value[job->keys];
	job->keys += !job->failed;
	return job->failed ? MHD_NO : MHD_YES;
}

static void free_job(struct job *job)
{
	job->work.let_go(job->work.of);
	/* The last may lack one of the two. */
	for (uint32_t i = 0; i < KEYS_MOST; i++) {
		free(job->key[i]);
		free(job->value[i]);
	}
	free(job->path);
	ct_answer_free(&job->answer);
	free(job);
}

int ct_jobs_start(struct ct_jobs **ret)
{
	struct ct_jobs *j = calloc(1, sizeof(*j));
	int error = 0;

	if (!j)
		return -ENOMEM;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->more, NULL);
	j->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (j->done_fd < 0)
		error = -errno;
	/* Fewer will do. */
	for (; !error && j->workers < CT_HTTP_WORKERS; j->workers++) {
		error = -pthread_create(&j->worker[j->workers], NULL, work, j);
		if (error && j->workers) {
			error = 0;
			break;
		}
	}
	if (error) {
		if (j->done_fd >= 0)
			close(j->done_fd);
		free(j);
		return error;
	}
	*ret = j;
	return 0;
}

int ct_jobs_fd(const struct ct_jobs *j)
{
	return j->done_fd;
}

int ct_jobs_add(struct ct_jobs *j, struct pending *p, const char *path, const struct ct_work *what)
{
	struct job *job = calloc(1, sizeof(*job)), **at = &j->todo;

	if (!job)
		return -ENOMEM;
	job->work = *what;
	job->path = strdup(path);
	job->request = (struct ct_request){ job->path, value_of, job };
	MHD_get_connection_values(p->connection, MHD_GET_ARGUMENT_KIND, copy_value, job);
	if (!job->path || job->failed) {
		free_job(job);
		return -ENOMEM;
	}
	job->pending = p;
	p->job = job;
	pthread_mutex_lock(&j->lock);
	while (*at)
		at = &(*at)->next;
	*at = job;
	pthread_cond_signal(&j->more);
	pthread_mutex_unlock(&j->lock);
	return 0;
}

/* One that is being done ends soon, and its answer is thrown away. */
void ct_jobs_forget(struct ct_jobs *j, struct pending *p)
{
	struct job *job = p->job, **at = &j->todo;

	p->job = NULL;
	job->pending = NULL;
	atomic_store(&job->watch.stop, true);
	pthread_mutex_lock(&j->lock);
	while (*at && *at != job)
		at = &(*at)->next;
	bool untouched = *at == job;

	if (untouched)
		*at = job->next;
	pthread_mutex_unlock(&j->lock);
	if (untouched)
		free_job(job);
}

void ct_jobs_take_done(struct ct_jobs *j)
{
	uint64_t count;

	if (read(j->done_fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&j->lock);
	struct job *done = j->done;

	j->done = NULL;
	pthread_mutex_unlock(&j->lock);
	while (done) {
		struct job *job = done;
		struct pending *p = job->pending;

		done = job->next;
		if (p) {
			p->job = NULL;
			p->answer = job->answer;
			job->answer = (struct ct_answer){ 0 };
			ct_pending_forget(p);
			MHD_resume_connection(p->connection);
		}
		free_job(job);
	}
}

/* Nobody waits any more. */
void ct_jobs_stop(struct ct_jobs *j)
{
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->more);
	pthread_mutex_unlock(&j->lock);
	for (uint32_t i = 0; i < j->workers; i++)
		pthread_join(j->worker[i], NULL);
	ct_jobs_take_done(j);
	close(j->done_fd);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->more);
	free(j);
}
