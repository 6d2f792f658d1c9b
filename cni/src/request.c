/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"
#include "json-read.h"

static void write_start(struct writer *out, const char *command)
{
	write_text(out, "{\"version\":1,\"command\":\"");
	write_text(out, command);
	write_text(out, "\"");
}

static void write_key(struct writer *out, const char *key)
{
	write_text(out, ",\"");
	write_text(out, key);
	write_text(out, "\":");
}

static void write_pair(struct writer *out, const char *key, struct slice text)
{
	write_key(out, key);
	write_string(out, text);
}

static bool end_line(struct writer *out, const char *what, struct cni_error *error)
{
	write_text(out, "}\n");
	if (!out->full)
		return true;
	fail(error, CNI_INVALID_CONFIG, "%s of the network configuration is too long", what);
	return because(error, "a request to the agent may have %u bytes", (unsigned int)out->size);
}

bool write_attachment_request(struct writer *out, const struct environment *environment, const struct pod *pod,
			      const struct network_config *config, struct cni_error *error)
{
	write_start(out, environment->command_name);
	write_pair(out, "containerId", slice_of(environment->container_id));
	write_pair(out, "netns", slice_of(environment->netns));
	write_pair(out, "ifName", slice_of(environment->if_name));
	write_text(out, ",\"pod\":{\"namespace\":");
	write_string(out, pod->namespace);
	write_pair(out, "name", pod->name);
	write_pair(out, "uid", pod->uid);
	write_text(out, "}");
	if (config->prev_result.at) {
		write_key(out, "prevResult");
		write_compact(out, config->prev_result);
	}
	return end_line(out, "prevResult", error);
}

/*
 * An empty list of Go's is null in JSON, and libcni leaves out one that it was not given (cnitool does so): nothing
 * is valid then.
 */
static struct slice valid_attachments(struct slice config)
{
	struct slice attachments;
	/* The second is what libcni says as well, because earlier texts of the specification did (libcni/api.go). */
	if ((json_find(config, "cni.dev/valid-attachments", &attachments) ||
	     json_find(config, "cni.dev/attachments", &attachments)) &&
	    json_kind(attachments) != JSON_NULL)
		return attachments;
	return slice_of("[]");
}

bool write_gc_request(struct writer *out, const struct network_config *config, struct cni_error *error)
{
	static const char key[] = "cni.dev/valid-attachments";
	struct slice attachment, container_id, if_name, attachments = valid_attachments(config->object);
	if (json_kind(attachments) != JSON_ARRAY)
		return fail(error, CNI_INVALID_CONFIG, "%s of the network configuration is no array", key);
	write_start(out, "GC");
	write_key(out, "validAttachments");
	write_text(out, "[");
	struct json_walk walk = json_walk(attachments);
	bool first = true;
	while (json_next_element(&walk, &attachment)) {
		if (!json_find(attachment, "containerID", &container_id) || json_kind(container_id) != JSON_STRING ||
		    !json_find(attachment, "ifname", &if_name) || json_kind(if_name) != JSON_STRING) {
			fail(error, CNI_INVALID_CONFIG, "%s of the network configuration holds what is no attachment",
			     key);
			return because(error, "containerID and ifname must be texts: %.*s", SLICE(attachment));
		}
		write_text(out, first ? "{\"containerId\":" : ",{\"containerId\":");
		first = false;
		write_slice(out, container_id);
		write_key(out, "ifName");
		write_slice(out, if_name);
		write_text(out, "}");
	}
	write_text(out, "]");
	return end_line(out, key, error);
}

void write_status_request(struct writer *out)
{
	write_start(out, "STATUS");
	write_text(out, "}\n");
}
