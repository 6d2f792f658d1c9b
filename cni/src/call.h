/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the plugin, and the commands. */
#pragma once

#include "deadline.h"
#include "environment.h"
#include "network-config.h"
#include "pod.h"
#include "settings.h"
#include "writer.h"

struct call {
	struct environment environment;
	struct network_config config;
	struct settings settings;
	struct pod pod;
	struct deadline started; /* when the process began: all deadlines count from here */
	struct writer *out;	 /* what goes to stdout when the command succeeds */
	struct cni_error *error;
};

/* Each true on success, else with `error` filled. They share no state but the call. */
bool command_add(struct call *call);
bool command_del(struct call *call);
bool command_check(struct call *call);
bool command_gc(struct call *call);
bool command_status(struct call *call);
bool command_version(struct call *call, struct slice input);
