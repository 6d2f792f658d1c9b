/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a call (CNI specification, section 2, "Parameters"). */
#pragma once

#include "cni-error.h"

enum cni_command { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_GC, CNI_STATUS, CNI_VERSION };

struct environment {
	enum cni_command command;
	const char *command_name;
	const char *since; /* the version of the specification that the command came with */
	const char *container_id, *netns, *if_name, *args; /* empty when not given */
};

/*
 * Fails with code 4; the message names the variables. CNI_PATH is not asked for: nothing is delegated to other
 * plugins.
 */
bool read_environment(struct environment *environment, struct cni_error *error);
