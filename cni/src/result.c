/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "json-read.h"
#include "json-string.h"
#include "result.h"

/* Writes one member of an object, with the comma before it unless it is the first. */
static void write_member(struct writer *out, bool *first, struct slice key, struct slice value)
{
	if (!*first)
		write_text(out, ",");
	*first = false;
	write_slice(out, key);
	write_text(out, ":");
	write_slice(out, value);
}

/*
 * The family of an address in CIDR notation, as `version` says it; NULL for what is no address. ::ffff:a.b.c.d counts
 * as IPv4, as in Go.
 */
static const char *family(struct slice string)
{
	char text[INET6_ADDRSTRLEN + sizeof("/128")];
	struct in6_addr address;
	if (json_kind(string) != JSON_STRING || !json_text(string, text, sizeof(text)))
		return NULL;
	char *slash = strchr(text, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	if (inet_pton(AF_INET, text, &address) == 1)
		return "\"4\"";
	if (inet_pton(AF_INET6, text, &address) != 1)
		return NULL;
	return IN6_IS_ADDR_V4MAPPED(&address) ? "\"4\"" : "\"6\"";
}

static bool write_ip(struct writer *out, struct slice ip, bool with_version, struct cni_error *error)
{
	struct slice address, key, value;
	bool first = true;
	if (json_kind(ip) != JSON_OBJECT)
		return fail(error, CNI_INVALID_CONFIG, "ips of prevResult holds what is no object");
	write_text(out, "{");
	if (with_version) {
		const char *version = json_find(ip, "address", &address) ? family(address) : NULL;
		if (!version) {
			fail(error, CNI_INVALID_CONFIG,
			     "ips of prevResult holds an entry without an address in CIDR notation");
			return because(error, "%.*s", SLICE(ip));
		}
		write_member(out, &first, slice_of("\"version\""), slice_of(version));
	}
	struct json_walk walk = json_walk(ip);
	while (json_next_member(&walk, &key, &value)) {
		if (!json_string_is(key, "version"))
			write_member(out, &first, key, value);
	}
	write_text(out, "}");
	return true;
}

static bool write_ips(struct writer *out, struct slice ips, bool with_version, struct cni_error *error)
{
	struct slice ip;
	bool first = true;
	if (json_kind(ips) == JSON_NULL) {
		write_slice(out, ips);
		return true;
	}
	if (json_kind(ips) != JSON_ARRAY)
		return fail(error, CNI_INVALID_CONFIG, "ips of prevResult is no array");
	write_text(out, "[");
	struct json_walk walk = json_walk(ips);
	while (json_next_element(&walk, &ip)) {
		if (!first)
			write_text(out, ",");
		first = false;
		if (!write_ip(out, ip, with_version, error))
			return false;
	}
	write_text(out, "]");
	return true;
}

/* A result without a version is of the configuration's: libcni's fixupResultVersion (pkg/invoke/exec.go). */
static const struct cni_version *version_of(const struct network_config *config, struct cni_error *error)
{
	struct slice value;
	if (!json_find(config->prev_result, "cniVersion", &value) || slice_equals(value, slice_of("\"\"")))
		return config->version;
	const struct cni_version *version = json_kind(value) == JSON_STRING ? cni_version_find(value) : NULL;
	if (!version) {
		fail(error, CNI_INCOMPATIBLE_VERSION, "prevResult is of a CNI version that this plugin does not keep");
		because(error, "cniVersion of prevResult is %.*s; there are %s", SLICE(value), cni_version_list);
	}
	return version;
}

bool write_result(struct writer *out, const struct network_config *config, struct cni_error *error)
{
	if (!config->prev_result.at)
		return fail(error, CNI_INVALID_CONFIG,
			    "prevResult is missing: this plugin goes behind the one that makes the interface, in one "
			    "chain");
	const struct cni_version *from = version_of(config, error), *to = config->version;
	if (!from)
		return false;
	struct slice key, value;
	struct json_walk walk = json_walk(config->prev_result);
	write_text(out, "{\"cniVersion\":\"");
	write_text(out, to->text);
	write_text(out, "\"");
	while (json_next_member(&walk, &key, &value)) {
		if (json_string_is(key, "cniVersion"))
			continue;
		const bool convert = from->ips_have_version != to->ips_have_version && json_string_is(key, "ips");
		write_text(out, ",");
		write_slice(out, key);
		write_text(out, ":");
		if (!convert)
			write_slice(out, value);
		else if (!write_ips(out, value, to->ips_have_version, error))
			return false;
	}
	write_text(out, "}");
	return !out->full || fail(error, CNI_INVALID_CONFIG, "prevResult is too long to be handed on");
}
