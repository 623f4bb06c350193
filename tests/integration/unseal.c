/* Looks for texts in files in every way that the current keyring allows: as they lie, in what is
 * compressed, and in what any of its keys opens at any offset. It knows the formats from
 * docs/formats/vault.md alone and shares no code with the server.
 *
 *   unseal KEYRING PATTERNS < paths      PATTERNS: lines of a name and bytes in hexadecimal; the
 *                                        one called "token" is looked for in what was opened
 *   prints: path, how, name
 *
 * AES-256-GCM encrypts by counting up from the nonce: what stands behind 12 bytes of nonce is
 * decrypted without its tag, so that lengths need not be known. */

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum {
	KEY          = 32,
	WRAPPED      = 40,
	ENTRY        = 64,
	NONCE        = 12,
	OPENED       = 320, /* bytes behind a nonce that are looked through */
	GRANULE      = 4096,
	PATTERNS     = 256,
	KEYS         = 4096,
	UNPACKED     = 64 << 20,
	DATA_KEY     = 4,
	INTERMEDIATE = 3,
};

struct bytes {
	uint8_t *data;
	size_t   length;
};

struct pattern {
	char    name[64];
	uint8_t bytes[512];
	size_t  length;
};

static struct pattern patterns[PATTERNS];
static size_t         pattern_count, token;
static struct {
	char    name[32];
	uint8_t key[KEY];
} keys[KEYS];
static size_t key_count;

static void die(const char *what, const char *which)
{
	fprintf(stderr, "unseal: %s: %s\n", what, which);
	exit(2);
}

static struct bytes read_file(const char *path)
{
	FILE       *file = fopen(path, "rb");
	struct stat info;
	if (file == NULL || fstat(fileno(file), &info) != 0)
		die("cannot read", path);
	struct bytes bytes = {malloc((size_t)info.st_size + 1), (size_t)info.st_size};
	bytes.length       = fread(bytes.data, 1, bytes.length, file);
	fclose(file);
	return bytes;
}

static uint64_t number_at(const uint8_t *at)
{
	uint64_t number;
	memcpy(&number, at, sizeof number);
	return number;
}

static bool unwrap(const uint8_t *wrapping, const uint8_t *wrapped, uint8_t *ret_key)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int             length  = 0;
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	bool good = EVP_DecryptInit_ex(context, EVP_aes_256_wrap(), NULL, wrapping, NULL) == 1 &&
	            EVP_DecryptUpdate(context, ret_key, &length, wrapped, WRAPPED) == 1 &&
	            length == KEY;
	EVP_CIPHER_CTX_free(context);
	return good;
}

static void add_key(const char *name, const uint8_t *key)
{
	if (key_count == KEYS)
		die("too many keys", name);
	snprintf(keys[key_count].name, sizeof keys[0].name, "%s", name);
	memcpy(keys[key_count++].key, key, KEY);
}

static void read_master(const char *keyring, uint8_t *master)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/master.key", keyring);
	struct bytes text = read_file(path);
	for (size_t i = 0; i < KEY; i++)
		if (text.length < 2 * KEY || sscanf((char *)text.data + 2 * i, "%2hhx", &master[i]) != 1)
			die("no key in", path);
	free(text.data);
}

static void read_letters(const char *keyring, const uint8_t *common)
{
	char path[4096], name[32];
	snprintf(path, sizeof path, "%s/letters.key", keyring);
	struct bytes file = read_file(path);
	uint8_t      key[KEY];
	for (size_t at = 0; at + ENTRY <= file.length; at += ENTRY)
		if (number_at(file.data + at) != 0 && unwrap(common, file.data + at + 8, key)) {
			snprintf(name, sizeof name, "letters-%" PRIu64, number_at(file.data + at));
			add_key(name, key);
		}
	free(file.data);
}

/* The intermediate key of a person's granule. */
static bool find_intermediate(const struct bytes *log, const uint8_t *master, uint64_t person,
                              uint8_t *ret_key)
{
	uint64_t first = person - person % GRANULE;
	for (size_t at = 2 * ENTRY; at + ENTRY <= log->length; at += ENTRY)
		if (number_at(log->data + at) == ((uint64_t)INTERMEDIATE << 56 | first))
			return unwrap(master, log->data + at + 16, ret_key);
	return false;
}

static void read_keys(const char *keyring)
{
	uint8_t  master[KEY], hashes[KEY], key[KEY], common[KEY], intermediate[KEY];
	char     path[4096], name[32];
	unsigned length = KEY;
	read_master(keyring, master);
	snprintf(path, sizeof path, "%s/keys.log", keyring);
	struct bytes log = read_file(path);
	if (!unwrap(master, log.data + ENTRY + 16, hashes))
		die("the master key does not fit", path);
	HMAC(EVP_sha256(), hashes, KEY, (const uint8_t *)"sonnim common key", 17, common, &length);
	add_key("common", common);
	read_letters(keyring, common);
	for (size_t at = 2 * ENTRY; at + ENTRY <= log.length; at += ENTRY) {
		uint64_t head   = number_at(log.data + at);
		uint64_t person = head & ((UINT64_C(1) << 56) - 1);
		if (head >> 56 != DATA_KEY || !find_intermediate(&log, master, person, intermediate) ||
		    !unwrap(intermediate, log.data + at + 16, key))
			continue;
		snprintf(name, sizeof name, "person-%" PRIu64 "-%" PRIu64, person >> 32,
		         person & 0xffffffff);
		add_key(name, key);
	}
	free(log.data);
}

static void read_patterns(const char *path)
{
	FILE *file = fopen(path, "r");
	char  hex[2048];
	if (file == NULL)
		die("cannot read", path);
	while (pattern_count < PATTERNS &&
	       fscanf(file, "%63s %2047s", patterns[pattern_count].name, hex) == 2) {
		struct pattern *pattern = &patterns[pattern_count];
		for (size_t i = 0; hex[2 * i] != '\0'; i++, pattern->length++)
			sscanf(hex + 2 * i, "%2hhx", &pattern->bytes[i]);
		if (strcmp(pattern->name, "token") == 0)
			token = pattern_count;
		pattern_count++;
	}
	fclose(file);
}

static void search(const char *path, const char *how, const struct bytes *bytes)
{
	for (size_t i = 0; i < pattern_count; i++)
		if (memmem(bytes->data, bytes->length, patterns[i].bytes, patterns[i].length) != NULL)
			printf("%s\t%s\t%s\n", path, how, patterns[i].name);
}

static void open_all(const char *path, const char *how, const struct bytes *bytes, size_t number)
{
	static const uint8_t zeros[16];
	EVP_CIPHER_CTX      *context = EVP_CIPHER_CTX_new();
	EVP_DecryptInit_ex(context, EVP_aes_256_ctr(), NULL, keys[number].key, NULL);
	for (size_t at = 0; at + NONCE + patterns[token].length <= bytes->length; at++) {
		uint8_t counter[16] = {[15] = 2}, plain[OPENED];
		size_t  left        = bytes->length - at - NONCE;
		int     length;
		if (memcmp(bytes->data + at, zeros, NONCE) == 0)
			continue;
		memcpy(counter, bytes->data + at, NONCE);
		EVP_DecryptInit_ex(context, NULL, NULL, NULL, counter);
		EVP_DecryptUpdate(context, plain, &length, bytes->data + at + NONCE,
		                  (int)(left < OPENED ? left : OPENED));
		if (memmem(plain, (size_t)length, patterns[token].bytes, patterns[token].length) != NULL)
			printf("%s\t%s, opened by %s\ttoken\n", path, how, keys[number].name);
	}
	EVP_CIPHER_CTX_free(context);
}

static void look_at(const char *path, const char *how, const struct bytes *bytes)
{
	search(path, how, bytes);
	for (size_t i = 0; i < key_count; i++)
		open_all(path, how, bytes, i);
}

static void unpack_zstd(const char *path, const struct bytes *file, size_t at)
{
	ZSTD_DCtx     *context  = ZSTD_createDCtx();
	struct bytes   unpacked = {malloc(UNPACKED), 0};
	ZSTD_inBuffer  in       = {file->data + at, file->length - at, 0};
	ZSTD_outBuffer out      = {unpacked.data, UNPACKED, 0};
	size_t         before = SIZE_MAX, left = 1;
	while (left != 0 && !ZSTD_isError(left) && (in.pos < in.size || out.pos != before)) {
		before = out.pos;
		left   = ZSTD_decompressStream(context, &out, &in);
	}
	unpacked.length = out.pos;
	if (unpacked.length > 0)
		look_at(path, "zstd", &unpacked);
	free(unpacked.data);
	ZSTD_freeDCtx(context);
}

static void unpack_gzip(const char *path, const struct bytes *file, size_t at)
{
	struct bytes unpacked = {malloc(UNPACKED), 0};
	z_stream     stream   = {.next_in   = file->data + at,
	                         .avail_in  = (unsigned)(file->length - at),
	                         .next_out  = unpacked.data,
	                         .avail_out = UNPACKED};
	if (inflateInit2(&stream, 15 + 16) == Z_OK) {
		inflate(&stream, Z_SYNC_FLUSH);
		unpacked.length = stream.total_out;
		inflateEnd(&stream);
	}
	if (unpacked.length > 0)
		look_at(path, "gzip", &unpacked);
	free(unpacked.data);
}

int main(int argc, char **argv)
{
	char path[4096];
	if (argc != 3)
		die("usage", "unseal KEYRING PATTERNS < paths");
	read_keys(argv[1]);
	read_patterns(argv[2]);
	fprintf(stderr, "%zu keys\n", key_count);
	while (fgets(path, sizeof path, stdin) != NULL) {
		path[strcspn(path, "\n")] = '\0';
		struct bytes file         = read_file(path);
		look_at(path, "plain", &file);
		for (size_t at = 0; at + 4 <= file.length; at++) {
			if (memcmp(file.data + at, "\x28\xb5\x2f\xfd", 4) == 0)
				unpack_zstd(path, &file, at);
			if (memcmp(file.data + at, "\x1f\x8b\x08", 3) == 0)
				unpack_gzip(path, &file, at);
		}
		free(file.data);
	}
	return 0;
}
