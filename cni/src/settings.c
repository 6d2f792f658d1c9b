/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"
#include "json-read.h"
#include "json-string.h"

const struct settings default_settings = {
	.socket = "/run/millrace/cni.sock",
	.failure_policy = FAILURE_CLOSED,
	.exclude_namespaces = { "[]", 2 },
	.agent_namespace = "millrace-system",
	.agent_pod_prefix = "millrace-agent-",
	.deadline_seconds = 15, /* the agent's own for ADD is 10: docs/cni-socket.md, "Limits" */
	.log_level = LOG_INFO,
	.log_file = "",
};

/* The container runtime's own deadline ends a call long before this. */
#define MOST_SECONDS 300

static bool invalid(struct cni_error *error, const char *key, struct slice value, const char *rule)
{
	fail(error, CNI_INVALID_CONFIG, "%s of the network configuration must be %s", key, rule);
	return because(error, "\"%s\": %.*s", key, SLICE(value));
}

static bool read_text(struct slice object, const char *key, char *out, size_t size, struct cni_error *error)
{
	struct slice value;
	if (!json_find(object, key, &value))
		return true;
	if (json_kind(value) != JSON_STRING || !json_text(value, out, size) || !*out)
		return invalid(error, key, value, "a text that is not empty and not too long");
	return true;
}

static bool read_path(struct slice object, const char *key, char *out, size_t size, struct cni_error *error)
{
	if (!read_text(object, key, out, size, error))
		return false;
	if (*out && *out != '/')
		return invalid(error, key, slice_of(out), "an absolute path");
	return true;
}

/* `words` ends with NULL; `choice` becomes the index of the word. */
static bool read_word(struct slice object, const char *key, const char *const words[], unsigned int *choice,
		      struct cni_error *error)
{
	struct slice value;
	if (!json_find(object, key, &value))
		return true;
	for (*choice = 0; json_kind(value) == JSON_STRING && words[*choice]; ++*choice) {
		if (json_string_is(value, words[*choice]))
			return true;
	}
	return fail(error, CNI_UNSUPPORTED_FIELD, "unsupported value in the network configuration: \"%s\": %.*s", key,
		    SLICE(value));
}

static bool read_namespaces(struct slice object, struct settings *settings, struct cni_error *error)
{
	static const char key[] = "excludeNamespaces";
	struct slice value, element;
	if (!json_find(object, key, &value))
		return true;
	if (json_kind(value) != JSON_ARRAY)
		return invalid(error, key, value, "an array of texts");
	struct json_walk walk = json_walk(value);
	while (json_next_element(&walk, &element)) {
		if (json_kind(element) != JSON_STRING)
			return invalid(error, key, value, "an array of texts");
	}
	settings->exclude_namespaces = value;
	return true;
}

static bool read_agent(struct slice object, struct settings *settings, struct cni_error *error)
{
	struct slice agent;
	if (!json_find(object, "agent", &agent))
		return true;
	if (json_kind(agent) != JSON_OBJECT)
		return invalid(error, "agent", agent, "an object");
	return read_text(agent, "namespace", settings->agent_namespace, sizeof(settings->agent_namespace), error) &&
	       read_text(agent, "podNamePrefix", settings->agent_pod_prefix, sizeof(settings->agent_pod_prefix), error);
}

static bool read_deadline(struct slice object, struct settings *settings, struct cni_error *error)
{
	static const char key[] = "deadlineSeconds";
	struct slice value;
	if (!json_find(object, key, &value))
		return true;
	if (!json_whole_number(value, 1, MOST_SECONDS, &settings->deadline_seconds))
		return invalid(error, key, value, "a whole number from 1 to 300");
	return true;
}

bool read_settings(struct slice config, struct settings *settings, struct cni_error *error)
{
	static const char *const policies[] = { [FAILURE_CLOSED] = "closed", [FAILURE_OPEN] = "open", NULL };
	static const char *const levels[] = {
		[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL,
	};
	*settings = default_settings;
	unsigned int policy = settings->failure_policy, level = settings->log_level;
	bool ok = read_word(config, "logLevel", levels, &level, error) &&
		  read_path(config, "logFile", settings->log_file, sizeof(settings->log_file), error) &&
		  read_path(config, "socket", settings->socket, sizeof(settings->socket), error) &&
		  read_word(config, "failurePolicy", policies, &policy, error) &&
		  read_namespaces(config, settings, error) && read_agent(config, settings, error) &&
		  read_deadline(config, settings, error);
	if (!ok) {
		*settings = default_settings;
		return false;
	}
	settings->failure_policy = policy;
	settings->log_level = level;
	return true;
}
