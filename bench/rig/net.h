// SPDX-License-Identifier: Apache-2.0
/* What the server and the relay share. Whatever fails at the start ends the program with a message. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* A listening socket of both families on that port, non-blocking; `transparent`: also for addresses that are not the host's. */
int listen_on(uint16_t port, bool transparent);

/* A number from 1 to 65535. `what` is for the message. */
uint16_t parse_port(const char *text, const char *what);

/* Sets an option of one int. */
void set_option(int socket, int level, int name, const char *what);

/* Small messages go at once. */
void no_delay(int socket);

_Noreturn void die(const char *what);
