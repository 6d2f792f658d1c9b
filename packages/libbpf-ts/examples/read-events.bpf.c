// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tells of each TCP connection that a process of a cgroup opens or accepts. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

enum direction {
	OPENED,
	ACCEPTED,
};

struct event {
	__u64 time_ns;
	enum direction direction;
	__be32 remote_address; /* IPv4 */
	__be16 remote_port;
	__u16 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

__u64 lost = 0;

/* So that the object's type information has the struct: no map names it. */
const struct event *unused_event __attribute__((unused));

static __always_inline void tell(struct bpf_sock_ops *ops, enum direction direction)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	event->time_ns = bpf_ktime_get_ns();
	event->direction = direction;
	event->remote_address = ops->remote_ip4;
	event->remote_port = ops->remote_port >> 16; /* network order, in the upper half */
	event->local_port = ops->local_port;
	bpf_ringbuf_submit(event, 0);
}

SEC("sockops")
int watch(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		tell(ops, OPENED);
	else if (ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		tell(ops, ACCEPTED);
	return 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
