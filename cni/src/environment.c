/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "environment.h"
#include "name.h"

static const struct command {
	const char *name;
	enum cni_command command;
	const char *since;
	bool needs_attachment, needs_netns;
} commands[] = {
	{ "ADD", CNI_ADD, "0.3.0", .needs_attachment = true, .needs_netns = true },
	{ "DEL", CNI_DEL, "0.3.0", .needs_attachment = true },
	{ "CHECK", CNI_CHECK, "0.4.0", .needs_attachment = true, .needs_netns = true },
	{ "GC", CNI_GC, "1.1.0", .needs_attachment = false },
	{ "STATUS", CNI_STATUS, "1.1.0", .needs_attachment = false },
	{ "VERSION", CNI_VERSION, "0.3.0", .needs_attachment = false },
};

static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value ? value : "";
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool check_attachment(const struct environment *e, const struct command *command, struct cni_error *error)
{
	char missing[64] = "";
	snprintf(missing, sizeof(missing), "%s%s%s", *e->container_id ? "" : " CNI_CONTAINERID",
		 *e->if_name ? "" : " CNI_IFNAME", *e->netns || !command->needs_netns ? "" : " CNI_NETNS");
	if (*missing)
		return fail(error, CNI_INVALID_ENVIRONMENT, "%s needs variables that are not set:%s", command->name,
			    missing);
	if (!is_cni_name(e->container_id))
		return fail(error, CNI_INVALID_ENVIRONMENT,
			    "CNI_CONTAINERID is no container id: letters, digits, _, . and -, the first one a letter "
			    "or a digit");
	if (!is_interface_name(e->if_name))
		return fail(error, CNI_INVALID_ENVIRONMENT, "CNI_IFNAME is no name of an interface of Linux");
	return true;
}

bool read_environment(struct environment *e, struct cni_error *error)
{
	const char *name = variable("CNI_COMMAND");
	const struct command *command = find_command(name);
	*e = (struct environment){
		.container_id = variable("CNI_CONTAINERID"),
		.netns = variable("CNI_NETNS"),
		.if_name = variable("CNI_IFNAME"),
		.args = variable("CNI_ARGS"),
	};
	if (!*name)
		return fail(error, CNI_INVALID_ENVIRONMENT,
			    "CNI_COMMAND is not set: this is a CNI plugin, which a container runtime executes");
	if (!command)
		return fail(error, CNI_INVALID_ENVIRONMENT,
			    "CNI_COMMAND is %s: there are ADD, DEL, CHECK, GC, STATUS and VERSION", name);
	e->command = command->command;
	e->command_name = command->name;
	e->since = command->since;
	return !command->needs_attachment || check_attachment(e, command, error);
}
