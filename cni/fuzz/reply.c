/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any line from the agent's socket is a yes, a no with a reason, or no reply; any CNI_ARGS is read to its end; and any
 * list of cgroups.
 */
#include "../src/reply.h"
#include "../src/pod.h"
#include "../src/sandbox.h"
#include "check.h"

static struct cni_error error;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line = copy_of(data, size);
	error = (struct cni_error){ .code = 0 };
	if (read_reply(line, &error) != REPLY_OK)
		HOLDS(error.code > 0);
	HOLDS(strlen(error.message) < sizeof(error.message) && strlen(error.details) < sizeof(error.details));
	char uid[POD_UID_SIZE];
	if (pod_uid_in_cgroups(line, uid))
		HOLDS(*uid && strlen(uid) < sizeof(uid));
	free((char *)line.at);

	char *args = calloc(1, size + 1);
	struct pod pod;
	HOLDS(args);
	memcpy(args, data, size);
	if (read_pod(args, "", &pod, &error) && pod.present)
		HOLDS(pod.namespace.length && pod.name.length && pod.uid.length &&
		      pod.uid.at + pod.uid.length <= args + strlen(args));
	free(args);
	return 0;
}
