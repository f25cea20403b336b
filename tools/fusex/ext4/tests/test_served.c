// SPDX-License-Identifier: GPL-2.0
/*
 * The note of what a server has: it is believed of a process of the same user, and
 * if nobody can have changed it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "again.h"
#include "tap.h"

#define SEALS	(F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define FORGED	"block 7:7 7\nforged"
#define OTHER	1234

/* Makes a note of this process. */
typedef bool (*make_note)(void);

static bool forge(const char *name, int seals)
{
	int fd = memfd_create(name, MFD_ALLOW_SEALING);

	return fd >= 0 && write(fd, FORGED, strlen(FORGED)) > 0 &&
	       (!seals || !fcntl(fd, F_ADD_SEALS, seals));
}

static bool published(void)
{
	int fd = memfd_create("image", 0);

	return fd >= 0 && !served_publish(fd, "options");
}

static bool sealed(void)
{
	return forge("fusex-ext4", SEALS);
}

static bool unsealed(void)
{
	return forge("fusex-ext4", 0);
}

static bool writable(void)
{
	return forge("fusex-ext4", SEALS & ~F_SEAL_WRITE);
}

static bool sealable(void)
{
	return forge("fusex-ext4", SEALS & ~F_SEAL_SEAL);
}

static bool named_otherwise(void)
{
	return forge("fusex-ext4-x", SEALS);
}

static bool unsealed_first(void)
{
	return unsealed() && published();
}

/* A note of this user's that another has open. */
static bool another_has_it(void)
{
	return sealed() && !setresuid(OTHER, OTHER, -1);
}

/* One of another's that a process of this user has open. */
static bool it_is_anothers(void)
{
	return !seteuid(OTHER) && sealed() && !seteuid(0);
}

/* Returns whether the note of a process that has made one is believed. */
static bool is_believed(make_note make)
{
	int made[2], go[2];
	char buf[256], c = 0;
	bool believed;
	pid_t pid;

	if (pipe(made) || pipe(go))
		exit(1);
	pid = fork();
	if (pid < 0)
		exit(1);
	if (!pid) {
		close(go[1]);
		c = make();
		if (write(made[1], &c, 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) != 0);
	}
	close(go[0]);
	ok(read(made[0], &c, 1) == 1 && c, "a note is made");
	believed = served_note(pid, buf, sizeof(buf));
	if (believed)
		printf("# %.*s\n", (int)strcspn(buf, "\n"), buf);
	close(go[1]);
	close(made[0]);
	close(made[1]);
	waitpid(pid, NULL, 0);
	return believed;
}

int main(void)
{
	ok(is_believed(published), "what a server has made is believed");
	ok(is_believed(sealed), "as is what cannot be told from it");
	ok(!is_believed(unsealed), "not what can be written to");
	ok(!is_believed(writable), "nor what can be written to but not made longer");
	ok(!is_believed(sealable), "nor what has seals to come");
	ok(!is_believed(named_otherwise), "nor what has another name");
	ok(is_believed(unsealed_first), "a second one that can be is");
	if (geteuid() || seteuid(OTHER) || seteuid(0)) {
		skip("only root can be somebody else");
		return tap_end();
	}
	ok(!is_believed(another_has_it), "not what a process of another user has");
	ok(!is_believed(it_is_anothers), "nor what another user has made");
	return tap_end();
}
