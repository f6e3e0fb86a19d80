#include "cbustls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cbustls {
    char *authorities, *chain, *key;
    atomic_int holders;
    pthread_mutex_t lock;
    char problem[256];
};

static _Thread_local cbustls *current;
static int context_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static char *copy(const char *text) { return text ? strdup(text) : NULL; }

static void say(cbustls *files, const char *what, const char *why) {
    pthread_mutex_lock(&files->lock);
    if (what)
        snprintf(files->problem, sizeof files->problem, "%s%s%s", what, why ? ": " : "", why ? why : "");
    else
        files->problem[0] = 0;
    pthread_mutex_unlock(&files->lock);
}

/// OpenSSL's newest error, which is taken off its queue.
static const char *reason(void) {
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "it cannot be read";
}

static cbustls *files_of(const SSL *connection) { return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), context_index); }

static void told(const SSL *connection, int where, int value) {
    cbustls *files = files_of(connection);
    if (!files) return;
    if (where & SSL_CB_ALERT) {
        // 0: a polite goodbye.
        if ((value & 0xff) == 0) return;
        if (where & SSL_CB_READ) {
            say(files, "the server refuses our certificate", SSL_alert_desc_string_long(value));
        } else {
            long result = SSL_get_verify_result(connection);
            if (result != X509_V_OK)
                say(files, "the server's certificate is refused", X509_verify_cert_error_string(result));
            else
                say(files, "the handshake failed", SSL_alert_desc_string_long(value));
        }
    } else if (where & SSL_CB_HANDSHAKE_DONE) {
        say(files, NULL, NULL);
    }
}

static void made_context(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)parent, (void)pointer, (void)number, (void)argument;
    if (!current) return;
    atomic_fetch_add(&current->holders, 1);
    CRYPTO_set_ex_data(data, index, current);
}

static void freed_context(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)parent, (void)data, (void)index, (void)number, (void)argument;
    if (pointer) cbustls_release(pointer);
}

/// A connection begins: it gets the files as they are now, and where one cannot be read what was read before.
static void made_connection(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)pointer, (void)data, (void)index, (void)number, (void)argument;
    SSL *connection = parent;
    cbustls *files = files_of(connection);
    if (!files) return;
    SSL_set_info_callback(connection, told);
    if (files->authorities) {
        X509_STORE *store = X509_STORE_new();
        if (store && X509_STORE_load_file(store, files->authorities) == 1)
            SSL_set1_verify_cert_store(connection, store);
        else
            say(files, files->authorities, reason());
        X509_STORE_free(store);
    }
    if (files->chain && files->key) {
        if (SSL_use_certificate_chain_file(connection, files->chain) != 1)
            say(files, files->chain, reason());
        else if (SSL_use_PrivateKey_file(connection, files->key, SSL_FILETYPE_PEM) != 1)
            say(files, files->key, reason());
    }
    ERR_clear_error();
}

static void prepare(void) {
    context_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, made_context, NULL, freed_context);
    CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, NULL, made_connection, NULL, NULL);
}

cbustls *cbustls_new(const char *authorities, const char *chain, const char *key) {
    pthread_once(&once, prepare);
    cbustls *files = calloc(1, sizeof *files);
    if (!files) return NULL;
    files->authorities = copy(authorities);
    files->chain = copy(chain);
    files->key = copy(key);
    atomic_init(&files->holders, 1);
    pthread_mutex_init(&files->lock, NULL);
    return files;
}

void cbustls_release(cbustls *files) {
    if (atomic_fetch_sub(&files->holders, 1) != 1) return;
    free(files->authorities);
    free(files->chain);
    free(files->key);
    pthread_mutex_destroy(&files->lock);
    free(files);
}

void cbustls_begin(cbustls *files) { current = files; }

void cbustls_end(void) { current = NULL; }

int cbustls_problem(cbustls *files, char *text, size_t size) {
    pthread_mutex_lock(&files->lock);
    int is = files->problem[0] != 0;
    snprintf(text, size, "%s", files->problem);
    pthread_mutex_unlock(&files->lock);
    return is;
}
