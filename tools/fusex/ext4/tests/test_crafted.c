// SPDX-License-Identifier: GPL-2.0
/*
 * The damaged images of e2fsprogs' own tests: whatever they are, the server
 * refuses or serves them.  $FUSEX_CRAFTED is the folder that has them, see
 * tools/testing/lib/crafted.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"
#include "use.h"

#define SECONDS		60

/*
 * Most say that they have to be checked, and are refused for that.  They are to
 * be had a look at nevertheless: e2fsck does not find everything.
 */
static bool pretend_sound(const char *path)
{
	struct ext2_super_block sb;
	int fd = open(path, O_RDWR);
	bool good;

	if (fd < 0)
		return false;
	good = pread(fd, &sb, sizeof(sb), SUPERBLOCK_OFFSET) == sizeof(sb) &&
	       sb.s_magic == EXT2_SUPER_MAGIC;
	sb.s_state = EXT2_VALID_FS;
	sb.s_feature_incompat &= ~(uint32_t)EXT3_FEATURE_INCOMPAT_RECOVER;
	if (sb.s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)
		sb.s_checksum = ext2fs_crc32c_le(~0u, (unsigned char *)&sb,
						 offsetof(struct ext2_super_block,
							  s_checksum));
	good = good &&
	       pwrite(fd, &sb, sizeof(sb), SUPERBLOCK_OFFSET) == sizeof(sb);
	close(fd);
	return good;
}

/**
 * struct outcome - what became of all of them
 * @served: how many were served
 * @refused: how many were not
 */
struct outcome {
	unsigned int	served;
	unsigned int	refused;
};

static void use(const char *name, const char *path, const char *how,
		struct outcome *out)
{
	enum use_result r = use_image(path, SECONDS);

	out->served += r == USE_SERVED;
	out->refused += r == USE_REFUSED;
	ok(r != USE_BAD, "%s, %s", name, how);
}

static bool unpack(const char *folder, const char *name, const char *path)
{
	return !image_run("gzip -dc %s/%s | dd of=%s %s", folder, name, path,
			  "bs=64k iflag=fullblock conv=sparse status=none");
}

static void test_image(const char *folder, const char *name,
		       struct outcome *out)
{
	const char *path = image_make("", 2);

	if (!unpack(folder, name, path)) {
		ok(false, "%s is unpacked", name);
		return;
	}
	use(name, path, "as it is", out);
	if (unpack(folder, name, path) && pretend_sound(path))
		use(name, path, "as if it were sound", out);
}

static int is_image(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 3 && !strcmp(d->d_name + len - 3, ".gz");
}

int main(int argc, char **argv)
{
	const char *folder = getenv("FUSEX_CRAFTED");
	struct outcome out = { 0, 0 };
	struct dirent **list;
	int count, i;

	if (!folder || !*folder) {
		skip("FUSEX_CRAFTED names no folder with images");
		return tap_end();
	}
	count = scandir(folder, &list, is_image, alphasort);
	ok(count > 100, "%d images", count);
	for (i = 0; i < count; i++) {
		/* For who looks for the one that is to blame. */
		if (argc < 2 || strstr(list[i]->d_name, argv[1]))
			test_image(folder, list[i]->d_name, &out);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	printf("# %u served, %u refused\n", out.served, out.refused);
	return tap_end();
}
