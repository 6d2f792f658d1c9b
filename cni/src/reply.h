/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent answers: docs/cni-socket.md, "Reply". */
#pragma once

#include "cni-error.h"

enum reply { REPLY_OK, REPLY_REFUSED, REPLY_NONSENSE };

/* Reads a line. `error` is set to what the agent says when it refuses, or to code 5 when this is no reply. */
enum reply read_reply(struct slice line, struct cni_error *error);
