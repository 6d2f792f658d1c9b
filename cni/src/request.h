/* SPDX-License-Identifier: Apache-2.0 */
/* The line that the agent is sent: docs/cni-socket.md, "Request". */
#pragma once

#include "environment.h"
#include "network-config.h"
#include "pod.h"
#include "writer.h"

/* Longest request or reply, line feed included: docs/cni-socket.md, "Limits". */
#define LONGEST_LINE (1024 * 1024)

/* A request about one attachment: ADD, DEL or CHECK. Fails with code 7 when it is too long. */
bool write_attachment_request(struct writer *out, const struct environment *environment, const struct pod *pod,
			      const struct network_config *config, struct cni_error *error);

/*
 * GC with the attachments that are still valid, as the runtime says. Fails with code 7 where that is no list of them,
 * or too long.
 */
bool write_gc_request(struct writer *out, const struct network_config *config, struct cni_error *error);

void write_status_request(struct writer *out);
