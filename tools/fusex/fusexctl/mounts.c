// SPDX-License-Identifier: GPL-2.0
/*
 * Which mounts there are, from /proc/self/mountinfo:
 *
 *	ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [TAG...] - TYPE SOURCE OPTIONS
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fusexctl.h"
#include "log.h"

#define BLANKS	"\n "

/**
 * struct mount_line - what counts in a line
 * @dev: MAJOR:MINOR
 * @target: mount point
 * @type: of the file system
 * @source: what it shows
 */
struct mount_line {
	char	*dev;
	char	*target;
	char	*type;
	char	*source;
};

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' &&
	       s[2] >= '0' && s[2] <= '7';
}

/* Blanks and the like are written as a backslash and three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (*text == '\\' && is_octal(text + 1)) {
			*to++ = (char)((text[1] - '0') << 6 |
				       (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

static bool parse_line(char *line, struct mount_line *ml)
{
	char *save, *word, *after = strstr(line, " - ");
	int i;

	if (!after)
		return false;
	*after = '\0';
	word = strtok_r(line, " ", &save);
	for (i = 0; word && i < 5; i++) {
		if (i == 2)
			ml->dev = word;
		if (i == 4)
			ml->target = word;
		word = strtok_r(NULL, " ", &save);
	}
	if (i < 5)
		return false;
	ml->type = strtok_r(after + 3, BLANKS, &save);
	ml->source = strtok_r(NULL, BLANKS, &save);
	if (!ml->type || !ml->source)
		return false;
	unescape(ml->target);
	unescape(ml->source);
	return true;
}

static bool is_fusex(const char *type)
{
	return !strcmp(type, "fusex") || !strncmp(type, "fusex.", 6);
}

/* Says whether that was all that was wanted. */
typedef bool mount_fn(const struct mount_line *ml, void *data);

/* Calls a function for each mount of ours. */
static void visit_mounts(mount_fn *fn, void *data)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mount_line ml;
	char *line = NULL;
	size_t room = 0;

	if (!f) {
		log_warning("cannot read /proc/self/mountinfo: %s",
			    strerror(errno));
		return;
	}
	while (getline(&line, &room, f) > 0)
		if (parse_line(line, &ml) && is_fusex(ml.type) && fn(&ml, data))
			break;
	free(line);
	fclose(f);
}

struct where {
	const char	*dev;
	char		*target;
	char		*source;
};

static bool note_where(const struct mount_line *ml, void *data)
{
	struct where *w = data;

	if (strcmp(ml->dev, w->dev))
		return false;
	w->target = strdup(ml->target);
	w->source = strdup(ml->source);
	return true;
}

void mounts_where(const char *dev, char **target, char **source)
{
	struct where w = { .dev = dev };

	visit_mounts(note_where, &w);
	*target = w.target;
	*source = w.source;
}

struct wanted {
	const char	*path;
	char		*dev;
};

/* The last one is on top. */
static bool note_dev(const struct mount_line *ml, void *data)
{
	struct wanted *w = data;

	if (!strcmp(ml->target, w->path))
		snprintf(w->dev, DEV_MAX, "%s", ml->dev);
	return false;
}

static void find_path(const char *word, char dev[DEV_MAX])
{
	char *cwd = *word == '/' ? strdup("") : getcwd(NULL, 0);
	struct wanted w = { .dev = dev };
	char *path = NULL;
	const char *slash;
	size_t len;

	slash = cwd && *cwd && strcmp(cwd, "/") ? "/" : "";
	if (!cwd || asprintf(&path, "%s%s%s", cwd, slash, word) < 0)
		path = NULL;
	free(cwd);
	if (!path)
		return;
	len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	w.path = path;
	visit_mounts(note_dev, &w);
	free(path);
}

/* MAJOR:MINOR, and nothing that leads to another folder. */
static bool is_dev(const char *word)
{
	size_t major = strspn(word, "0123456789"), minor;

	if (!major || word[major] != ':')
		return false;
	minor = strspn(word + major + 1, "0123456789");
	return minor && !word[major + 1 + minor];
}

int mounts_resolve(const char *word, char dev[DEV_MAX])
{
	char path[64];

	*dev = '\0';
	if (is_dev(word))
		snprintf(dev, DEV_MAX, "%s", word);
	else
		find_path(word, dev);
	if (!*dev) {
		log_error("nothing of fusex is mounted on %s, see 'fusexctl list'",
			  word);
		return -ENOENT;
	}
	snprintf(path, sizeof(path), SYSFS_DIR "/%s", dev);
	if (access(path, F_OK)) {
		log_error("there is no file system %s, see 'fusexctl list'",
			  dev);
		return -ENOENT;
	}
	return 0;
}
