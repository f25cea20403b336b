// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "options.h"

/* The longest text that fsconfig(2) takes. */
#define SHOWN_MAX	255

static const char * const mount_options[] = {
	"ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec",
	"atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
	"strictatime", "nostrictatime", "symfollow", "nosymfollow",
	"sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand",
	"allow_other", "source", "context", "fscontext", "defcontext",
	"rootcontext", NULL
};

static const char * const fstab_options[] = {
	"defaults", "auto", "noauto", "user", "nouser", "users", "nousers",
	"owner", "noowner", "group", "nogroup", "_netdev", "nofail", "comment",
	"loud", "silent", NULL
};

static bool is_in(const char * const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

bool options_is_mount(const char *name)
{
	return is_in(mount_options, name);
}

bool options_is_fstab(const char *name)
{
	return is_in(fstab_options, name) || !strncmp(name, "x-", 2) ||
	       !strncmp(name, "X-", 2);
}

char *options_next(char **rest)
{
	char *start = *rest, *p;

	if (!start)
		return NULL;
	for (p = start; *p && *p != ','; p++)
		if (*p == '\\' && p[1])
			p++;
	*rest = *p ? p + 1 : NULL;
	*p = '\0';
	return start;
}

int options_append(char **list, const char *name, const char *value)
{
	size_t old = *list ? strlen(*list) : 0;
	size_t room = old + strlen(name) + 3;
	char *p;

	if (value)
		room += 2 * strlen(value);
	p = realloc(*list, room);
	if (!p)
		return -ENOMEM;
	*list = p;
	p += old;
	if (old)
		*p++ = ',';
	p = stpcpy(p, name);
	if (!value)
		return 0;
	*p++ = '=';
	for (; *value; value++) {
		if (*value == ',' || *value == '\\')
			*p++ = '\\';
		*p++ = *value;
	}
	*p = '\0';
	return 0;
}

int options_source(char **list, const char *source)
{
	char shown[SHOWN_MAX + 1];

	if (options_has(*list, "source", NULL))
		return 0;
	snprintf(shown, sizeof(shown), "%.*s", SHOWN_MAX, source);
	return options_append(list, "source", shown);
}

static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		*to++ = *text;
	}
	*to = '\0';
}

static int bad_value(const struct option_desc *o, const char *value)
{
	log_error("option %s=%s: it is %s=%s", o->name, value, o->name, o->arg);
	return -EINVAL;
}

static int set_uint(const struct option_desc *o, const char *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 0);
	if (errno || end == value || *end)
		return bad_value(o, value);
	if (n < o->min || n > o->max) {
		log_error("option %s=%s: it is from %u to %u", o->name, value,
			  o->min, o->max);
		return -EINVAL;
	}
	*(uint32_t *)o->to = (uint32_t)n;
	return 0;
}

static int set_seconds(const struct option_desc *o, const char *value)
{
	double s;
	char *end;

	errno = 0;
	s = strtod(value, &end);
	/* The comparison is false for a NaN, too. */
	if (errno || end == value || *end || !(s >= 0 && s <= 1e9))
		return bad_value(o, value);
	*(uint64_t *)o->to = (uint64_t)(s * 1e9);
	return 0;
}

static int set_choice(const struct option_desc *o, const char *value)
{
	const struct option_choice *c;

	for (c = o->choices; c->word; c++) {
		if (!strcmp(c->word, value)) {
			*(uint32_t *)o->to = c->value;
			return 0;
		}
	}
	return bad_value(o, value);
}

static int set_option(const struct option_desc *o, const char *value)
{
	const bool flag = o->type == OPTION_FLAG;

	if (flag == !!value) {
		log_error(flag ? "option %s has no value" :
				 "option %s needs a value", o->name);
		return -EINVAL;
	}
	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)o->to = true;
		return 0;
	case OPTION_UINT:
		return set_uint(o, value);
	case OPTION_SECONDS:
		return set_seconds(o, value);
	case OPTION_CHOICE:
		return set_choice(o, value);
	case OPTION_CALL:
		return o->call(value);
	}
	return -EINVAL;
}

static int not_known(const struct option_desc *table, const char *name)
{
	const char * const *m;
	char *all = NULL;
	int ret = 0;

	for (; table->name && !ret; table++)
		ret = options_append(&all, table->name, NULL);
	for (m = mount_options; *m && !ret; m++)
		ret = options_append(&all, *m, NULL);
	log_error("unknown option %s; there are: %s", name, all ? all : "");
	free(all);
	return -EINVAL;
}

static int parse_one(const struct option_desc *table, char *name, char **mount)
{
	const struct option_desc *o;
	char *value = strchr(name, '=');

	if (value) {
		*value++ = '\0';
		unescape(value);
	}
	if (!*name || options_is_fstab(name))
		return 0;
	for (o = table; o->name; o++)
		if (!strcmp(o->name, name))
			return set_option(o, value);
	if (!options_is_mount(name))
		return not_known(table, name);
	if (options_append(mount, name, value)) {
		log_error("out of memory");
		return -ENOMEM;
	}
	return 0;
}

int options_parse(const struct option_desc *table, const char *text,
		  char **mount)
{
	char *copy = strdup(text), *rest = copy, *one;
	int ret = 0;

	if (!copy) {
		log_error("out of memory");
		return -ENOMEM;
	}
	while (!ret && (one = options_next(&rest)))
		ret = parse_one(table, one, mount);
	free(copy);
	return ret;
}

static bool is_option(const char *text, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(text, name, len) && (!text[len] || text[len] == '=');
}

bool options_has(const char *list, const char *name, const char *other)
{
	char *copy = list ? strdup(list) : NULL, *rest = copy, *one;
	bool found = false;

	while ((one = options_next(&rest))) {
		if (is_option(one, name))
			found = true;
		else if (other && is_option(one, other))
			found = false;
	}
	free(copy);
	return found;
}

/* Empty for what has none, or a value that has no word. */
static void show_value(const struct option_desc *o, char *buf, size_t room)
{
	const struct option_choice *c;

	buf[0] = '\0';
	if (o->type == OPTION_UINT)
		snprintf(buf, room, "%u", *(const uint32_t *)o->to);
	if (o->type == OPTION_SECONDS)
		snprintf(buf, room, "%.9f",
			 (double)*(const uint64_t *)o->to / 1e9);
	if (o->type != OPTION_CHOICE)
		return;
	for (c = o->choices; c->word; c++)
		if (c->value == *(const uint32_t *)o->to)
			snprintf(buf, room, "%s", c->word);
}

char *options_show(const struct option_desc *table)
{
	char *list = NULL, value[64];

	for (; table->name; table++) {
		show_value(table, value, sizeof(value));
		if (*value && options_append(&list, table->name, value)) {
			free(list);
			return NULL;
		}
	}
	return list ? list : strdup("");
}

void options_help(const struct option_desc *table)
{
	char left[64];

	for (; table->name; table++) {
		snprintf(left, sizeof(left), "%s%s%s", table->name,
			 table->arg ? "=" : "", table->arg ? table->arg : "");
		printf("  %-32s %s\n", left, table->help);
	}
	printf("and those of every mount (ro, nosuid, noatime, allow_other, ...)\n");
}
