/* SPDX-License-Identifier: Apache-2.0 */
#include "pod.h"
#include "sandbox.h"

static void take_pair(struct pod *pod, struct slice key, struct slice value)
{
	if (slice_equals(key, slice_of("K8S_POD_NAMESPACE")))
		pod->namespace = value;
	else if (slice_equals(key, slice_of("K8S_POD_NAME")))
		pod->name = value;
	else if (slice_equals(key, slice_of("K8S_POD_UID")))
		pod->uid = value;
}

bool read_pod(const char *args, const char *netns, struct pod *pod, struct cni_error *error)
{
	static char sandbox_uid[POD_UID_SIZE];
	*pod = (struct pod){ .present = false };
	while (*args) {
		size_t length = strcspn(args, ";"), key = strcspn(args, "=;");
		if (length > 0 && key == length)
			return fail(error, CNI_INVALID_ENVIRONMENT, "CNI_ARGS holds \"%.*s\", which is no KEY=VALUE",
				    (int)length, args);
		if (length > 0)
			take_pair(pod, (struct slice){ args, key }, (struct slice){ args + key + 1, length - key - 1 });
		args += length + (args[length] == ';');
	}
	if (pod->namespace.length && pod->name.length && !pod->uid.length && pod_uid_of_sandbox(netns, sandbox_uid))
		pod->uid = slice_of(sandbox_uid);
	const bool some = pod->namespace.length || pod->name.length || pod->uid.length;
	const bool all = pod->namespace.length && pod->name.length && pod->uid.length;
	if (some && !all)
		return fail(error, CNI_INVALID_ENVIRONMENT, "CNI_ARGS names a pod, but does not say its%s%s%s",
			    pod->namespace.length ? "" : " K8S_POD_NAMESPACE", pod->name.length ? "" : " K8S_POD_NAME",
			    pod->uid.length ? "" : " K8S_POD_UID");
	pod->present = all;
	return true;
}
