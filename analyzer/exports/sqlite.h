/*
 * A trace as an SQLite database: tables and recipes are in docs/sql.md.
 * https://www.sqlite.org/
 */
#ifndef CT_SQLITE_H
#define CT_SQLITE_H

#include <sqlite3.h>

#include "commands.h"

/* Puts what the options select of a trace into an empty database. 0, -EINVAL: context->usage
 * says why, -ENOMEM, -errno. */
int ct_sqlite_fill(sqlite3 *db, struct ct_context *c);

#endif
