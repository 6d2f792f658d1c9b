/* SPDX-License-Identifier: Apache-2.0 */
/* This plugin's own keys in the network configuration: docs/cni-plugin.md. */
#pragma once

#include "cni-error.h"

enum failure_policy { FAILURE_CLOSED, FAILURE_OPEN };
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* sizeof(sun_path) of sockaddr_un: unix(7). */
#define SOCKET_PATH_SIZE 108

struct settings {
	char socket[SOCKET_PATH_SIZE];
	enum failure_policy failure_policy;
	struct slice exclude_namespaces; /* a JSON array of strings */
	char agent_namespace[64];	 /* a DNS label: RFC 1123 */
	char agent_pod_prefix[254];	 /* of a DNS subdomain */
	unsigned int deadline_seconds;
	enum log_level log_level;
	char log_file[256]; /* empty: only stderr */
};

extern const struct settings default_settings;

/*
 * Reads them from the network configuration, a JSON object; what it does not say stays at its default. Fails with
 * code 2 for a word that is not one of those a key may have, 7 for a value of a wrong type or length; the message
 * tells key and value.
 */
bool read_settings(struct slice config, struct settings *settings, struct cni_error *error);
