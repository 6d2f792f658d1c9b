/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-version.h"
#include "json-string.h"

const struct cni_version cni_versions[] = {
	{ "0.3.0", .ips_have_version = true },	{ "0.3.1", .ips_have_version = true },
	{ "0.4.0", .ips_have_version = true },	{ "1.0.0", .ips_have_version = false },
	{ "1.1.0", .ips_have_version = false },
};
const size_t cni_version_count = sizeof(cni_versions) / sizeof(cni_versions[0]);
const char cni_version_list[] = "0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0";

const struct cni_version *cni_version_find(struct slice string)
{
	for (size_t i = 0; i < cni_version_count; i++) {
		if (json_string_is(string, cni_versions[i].text))
			return &cni_versions[i];
	}
	return NULL;
}

bool cni_version_has(const struct cni_version *version, const char *since)
{
	for (const struct cni_version *v = cni_versions; v <= version; v++) {
		if (strcmp(v->text, since) == 0)
			return true;
	}
	return false;
}
