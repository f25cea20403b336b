// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fusexctl.h"
#include "log.h"

#define MAX_OPS		64
#define MAX_BUCKETS	64
#define NAME_MAX_OP	24

/**
 * struct op - one operation
 * @name: its name
 * @count: how many have ended
 * @errors: how many of them with an error
 * @buckets: how many took [2^n, 2^(n+1)) microseconds; the first has all below
 */
struct op {
	char		name[NAME_MAX_OP];
	unsigned long long	count;
	unsigned long long	errors;
	unsigned long long	buckets[MAX_BUCKETS];
};

static const char * const settings[] = {
	"server_pid", "max_read", "max_write", "max_readahead",
	"max_background", "timeout_ms", "waiting", "forgets", "bad_replies",
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(settings[0]))

/* Takes a word off the beginning of a line. */
static bool take_word(char **line, char word[NAME_MAX_OP])
{
	size_t len = strcspn(*line, " ");

	if (!len || len >= NAME_MAX_OP)
		return false;
	memcpy(word, *line, len);
	word[len] = '\0';
	*line += len;
	*line += strspn(*line, " ");
	return true;
}

/* Takes a number, and the character that it ends with unless the line ends. */
static bool take_number(char **line, char end, unsigned long long *number)
{
	char *rest;

	errno = 0;
	*number = strtoull(*line, &rest, 10);
	if (errno || rest == *line || (*rest && *rest != end))
		return false;
	*line = *rest ? rest + 1 : rest;
	return true;
}

static size_t read_counters(const char *dev, char *text, struct op *ops)
{
	char *save, *line;
	size_t n = 0;

	sysfs_read(dev, "counters", text, TEXT_MAX);
	for (line = strtok_r(text, "\n", &save); line && n < MAX_OPS;
	     line = strtok_r(NULL, "\n", &save)) {
		if (take_word(&line, ops[n].name) &&
		    take_number(&line, ' ', &ops[n].count) &&
		    take_number(&line, ' ', &ops[n].errors))
			n++;
	}
	return n;
}

static struct op *find_op(struct op *ops, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	return NULL;
}

static void parse_buckets(char *words, struct op *op)
{
	unsigned long long bucket, count;

	while (take_number(&words, ':', &bucket) &&
	       take_number(&words, ' ', &count))
		if (bucket < MAX_BUCKETS)
			op->buckets[bucket] = count;
}

static void read_latency(const char *dev, char *text, struct op *ops, size_t n)
{
	char *save, *line, *words;
	struct op *op;

	sysfs_read(dev, "latency", text, TEXT_MAX);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		words = strchr(line, ' ');
		if (!words)
			continue;
		*words++ = '\0';
		op = find_op(ops, n, line);
		if (op)
			parse_buckets(words, op);
	}
}

/* Microseconds that the given part of the requests stayed below. */
static unsigned long long below(const struct op *op, unsigned int percent)
{
	unsigned long long sum = 0, seen = 0;
	unsigned int i;

	for (i = 0; i < MAX_BUCKETS; i++)
		sum += op->buckets[i];
	for (i = 0; sum && i < MAX_BUCKETS - 1; i++) {
		seen += op->buckets[i];
		if (seen * 100 >= sum * percent)
			return 2ull << i;
	}
	return 0;
}

static void put_time(unsigned long long us)
{
	if (!us)
		printf(" %9s", "-");
	else if (us < 10000)
		printf("   <%4lluus", us);
	else if (us < 10000000)
		printf("   <%4llums", us / 1000);
	else
		printf("   <%4llus ", us / 1000000);
}

static void stats_text(const char *dev, char *text, const struct op *ops,
		       size_t n)
{
	size_t i;

	for (i = 0; i < NR_SETTINGS; i++)
		printf("%-16s %llu\n", settings[i],
		       sysfs_number(dev, settings[i]));
	printf("\n%-14s %12s %10s %10s %9s %9s\n", "OPERATION", "COUNT",
	       "ERRORS", "50%", "90%", "99%");
	for (i = 0; i < n; i++) {
		printf("%-14s %12llu %10llu", ops[i].name,
		       ops[i].count, ops[i].errors);
		put_time(below(&ops[i], 50));
		put_time(below(&ops[i], 90));
		put_time(below(&ops[i], 99));
		putchar('\n');
	}
	if (!sysfs_read(dev, "in_flight", text, TEXT_MAX) && *text)
		printf("\nUNIQUE OPERATION NODE STATE AGE_MS PID\n%s\n", text);
}

static void json_op(struct json *j, const struct op *op)
{
	unsigned int i;

	json_open(j, NULL, '{');
	json_string(j, "name", op->name);
	json_number(j, "count", op->count);
	json_number(j, "errors", op->errors);
	json_open(j, "latency", '[');
	for (i = 0; i < MAX_BUCKETS; i++) {
		if (!op->buckets[i])
			continue;
		json_open(j, NULL, '{');
		json_number(j, "from_us", i ? 1ull << i : 0);
		json_number(j, "count", op->buckets[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void json_in_flight(struct json *j, char *text)
{
	unsigned long long unique, node, age, pid;
	char op[NAME_MAX_OP], state[NAME_MAX_OP];
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!take_number(&line, ' ', &unique) ||
		    !take_word(&line, op) || !take_number(&line, ' ', &node) ||
		    !take_word(&line, state) || !take_number(&line, ' ', &age) ||
		    !take_number(&line, ' ', &pid))
			continue;
		json_open(j, NULL, '{');
		json_number(j, "unique", unique);
		json_string(j, "operation", op);
		json_number(j, "nodeid", node);
		json_string(j, "state", state);
		json_number(j, "age_ms", age);
		json_number(j, "pid", pid);
		json_close(j, '}');
	}
}

static void stats_json(const char *dev, char *text, const struct op *ops,
		       size_t n)
{
	struct json j = { .depth = 0 };
	size_t i;

	json_open(&j, NULL, '{');
	json_string(&j, "dev", dev);
	for (i = 0; i < NR_SETTINGS; i++)
		json_number(&j, settings[i], sysfs_number(dev, settings[i]));
	json_open(&j, "operations", '[');
	for (i = 0; i < n; i++)
		json_op(&j, &ops[i]);
	json_close(&j, ']');
	json_open(&j, "in_flight", '[');
	if (!sysfs_read(dev, "in_flight", text, TEXT_MAX))
		json_in_flight(&j, text);
	json_close(&j, ']');
	json_close(&j, '}');
}

int cmd_stats(const char *dev, bool json)
{
	struct op *ops = calloc(MAX_OPS, sizeof(*ops));
	char *text = malloc(TEXT_MAX);
	size_t n;

	if (!ops || !text) {
		log_error("out of memory");
		free(ops);
		free(text);
		return 1;
	}
	n = read_counters(dev, text, ops);
	read_latency(dev, text, ops, n);
	if (json)
		stats_json(dev, text, ops, n);
	else
		stats_text(dev, text, ops, n);
	free(text);
	free(ops);
	return 0;
}
