/* See peers.h. sock_diag(7). */
#include "peers.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NO_DIAG (-1) /* the kernel has none: not asked again */

static bool ask(int diag, uint32_t inode)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} m = {
		.head = { .nlmsg_len = sizeof(m), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST,
			  .nlmsg_seq = inode },
		.request = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_ino = inode,
			     .udiag_show = UDIAG_SHOW_PEER, .udiag_cookie = { ~0u, ~0u } },
	};

	return send(diag, &m, sizeof(m), 0) == sizeof(m);
}

static uint32_t peer_of(const struct nlmsghdr *head)
{
	const struct unix_diag_msg *m = NLMSG_DATA(head);
	int left = (int)head->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));

	for (const struct rtattr *a = (const void *)(m + 1); left > 0 && RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof(uint32_t))
			return *(const uint32_t *)RTA_DATA(a);
	return 0;
}

uint32_t ct_peer_inode(int *diag, uint32_t inode)
{
	char answer[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *head = (const struct nlmsghdr *)answer;

	if (!*diag) {
		int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

		*diag = fd < 0 ? NO_DIAG : fd + 1;
	}
	if (*diag == NO_DIAG || !ask(*diag - 1, inode))
		return 0;
	/* The answer is there when the question has been asked; one to an earlier question is passed over. */
	for (int i = 0; i < 8; i++) {
		ssize_t n = recv(*diag - 1, answer, sizeof(answer), 0);

		if (n < 0)
			return 0;
		if (n >= (ssize_t)sizeof(*head) && head->nlmsg_len <= (size_t)n && head->nlmsg_seq == inode)
			return head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
					       head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)) ?
				       peer_of(head) : 0;
	}
	return 0;
}

uint64_t ct_eventfd_number(pid_t pid, int fd)
{
	char path[64], line[128];
	uint64_t number = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "eventfd-id:", 11))
			number = strtoull(line + 11, NULL, 10) + 1;
	fclose(f);
	return number;
}
