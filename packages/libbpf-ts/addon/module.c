// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <stdlib.h>

static const struct {
	const char *name;
	napi_callback fn;
} functions[] = {
	{ "setErrorClass", error_set_class },
	{ "openPinned", handle_open_pinned },
	{ "openById", handle_open_by_id },
	{ "nextId", handle_next_id },
	{ "fd", handle_fd },
	{ "pin", handle_pin },
	{ "close", handle_close },
	{ "objectOpenFile", object_open_file },
	{ "objectOpenMem", object_open_mem },
	{ "objectClose", object_close },
	{ "objectMaps", object_maps },
	{ "objectPrograms", object_programs },
	{ "objectSetMaxEntries", object_set_max_entries },
	{ "objectReuseMap", object_reuse_map },
	{ "objectSetAutoload", object_set_autoload },
	{ "objectSetProgramType", object_set_program_type },
	{ "objectSetValueSize", object_set_value_size },
	{ "objectInitialValue", object_initial_value },
	{ "objectSetInitialValue", object_set_initial_value },
	{ "objectLoad", object_load },
	{ "objectMap", object_map },
	{ "objectProgram", object_program },
	{ "objectBtf", object_btf },
	{ "btfById", btf_by_id },
	{ "mapTypes", map_types },
	{ "mapCreate", map_create },
	{ "mapInfo", map_info },
	{ "mapLookup", map_lookup },
	{ "mapLookupInto", map_lookup_into },
	{ "mapUpdate", map_update },
	{ "mapDelete", map_delete },
	{ "mapTake", map_take },
	{ "mapLookupBatch", map_lookup_batch },
	{ "mapUpdateBatch", map_update_batch },
	{ "mapDeleteBatch", map_delete_batch },
	{ "mapKeys", map_keys },
	{ "mapFreeze", map_freeze },
	{ "possibleCpus", possible_cpus },
	{ "programInfo", program_info },
	{ "programStatistics", program_statistics },
	{ "enableStatistics", enable_statistics },
	{ "programTestRun", program_test_run },
	{ "linkInfo", link_info },
	{ "linkInfoAsync", link_info_async },
	{ "linkUpdate", link_update },
	{ "linkDetach", link_detach },
	{ "linkDetachAsync", link_detach_async },
	{ "linkCreate", link_create },
	{ "linkCreateAsync", link_create_async },
	{ "programAttach", program_attach },
	{ "programDetach", program_detach },
	{ "tcxQuery", tcx_query },
	{ "tcxQueryAsync", tcx_query_async },
	{ "targetQuery", target_query },
	{ "clsactAttach", clsact_attach },
	{ "clsactAttachAsync", clsact_attach_async },
	{ "clsactDetach", clsact_detach },
	{ "clsactQuery", clsact_query },
	{ "ringOpen", ring_open },
	{ "ringConsume", ring_consume },
	{ "ringPause", ring_pause },
	{ "ringRef", ring_ref },
	{ "ringClose", ring_close },
	{ "probeBpf", probe_bpf },
	{ "probeProgramType", probe_program_type },
	{ "probeMapType", probe_map_type },
	{ "probeHelper", probe_helper },
	{ "probeTcx", probe_tcx },
	{ "probeNetfilter", probe_netfilter },
	{ "probeBatch", probe_batch },
	{ "netnsCookie", netns_cookie },
	{ "typeName", type_name },
	{ "version", version },
};

static void addon_free(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	log_release();
	free(data);
}

/* Called once per environment: the main thread's and each worker's. */
NAPI_MODULE_INIT()
{
	struct addon *addon = calloc(1, sizeof(*addon));

	if (!addon) {
		napi_throw_error(env, "ENOMEM", "libbpf-ts: out of memory");
		return NULL;
	}
	napi_set_instance_data(env, addon, addon_free, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		napi_value fn;

		napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].fn, NULL, &fn);
		napi_set_named_property(env, exports, functions[i].name, fn);
	}
	log_install();
	return exports;
}
