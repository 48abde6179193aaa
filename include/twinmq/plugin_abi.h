#pragma once
/* What crosses between the broker and a plugin: plain C, nothing that a compiler or a standard
   library could lay out in two ways. Plugins in C++ use <twinmq/plugin.hpp>, which stands on this.

   A plugin is a shared library with two functions:

     uint32_t twinmq_plugin_abi(void);                    returns TWINMQ_PLUGIN_ABI
     void* twinmq_plugin_open(const twinmq_host* host, twinmq_answer* answer);

   open() adds what the plugin offers by the host's functions, and returns whatever shall be handed
   to twinmq_plugin_close(void*), which may be absent; or it calls answer->fail and returns NULL.

   Structs that begin with `size` only grow at their end: their maker sets `size` to what it knows,
   and their reader looks at no more. Values and texts never change. Pointers are borrowed: they
   hold until the call that brought them returns, and for what open() adds, until close(). No C++
   exception may pass a function of this file. */

#include <stddef.h>
#include <stdint.h>

#define TWINMQ_PLUGIN_ABI 1u

#if defined(__GNUC__)
#define TWINMQ_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define TWINMQ_PLUGIN_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes, not closed by a zero. */
typedef struct twinmq_text {
  const char* data;
  size_t size;
} twinmq_text;

typedef enum twinmq_kind {
  TWINMQ_UNDEFINED = 0, /* no value: what SQL calls Undefined */
  TWINMQ_NULL = 1,
  TWINMQ_BOOLEAN = 2, /* as.integer is 0 or 1 */
  TWINMQ_INTEGER = 3, /* as.integer */
  TWINMQ_NUMBER = 4,  /* as.number; decimals of more digits than a double holds are rounded */
  TWINMQ_TEXT = 5,    /* as.text, size bytes */
  TWINMQ_ARRAY = 6,   /* as.items, size values */
  TWINMQ_OBJECT = 7   /* as.members, size members, every key once */
} twinmq_kind;

typedef struct twinmq_member twinmq_member;

/* A JSON value, or none. */
typedef struct twinmq_value {
  uint32_t kind; /* twinmq_kind */
  uint32_t reserved;
  uint64_t size;
  union {
    int64_t integer;
    double number;
    const char* text;
    const struct twinmq_value* items;
    const twinmq_member* members;
  } as;
} twinmq_value;

struct twinmq_member {
  twinmq_text key;
  twinmq_value value;
};

/* Where a call leaves its answer; what is left last counts. The broker copies at once. */
typedef struct twinmq_answer {
  uint32_t size;
  void (*give)(struct twinmq_answer* self, const twinmq_value* value);
  void (*fail)(struct twinmq_answer* self, twinmq_text why);
} twinmq_answer;

/* --- Functions of rules -------------------------------------------------------------------------
 */

/* The call takes microseconds and never waits: it runs on the event loop instead of a worker. */
#define TWINMQ_FAST 1u

/* Gives one value; nothing or a failure is Undefined. Several calls at once. */
typedef struct twinmq_function {
  uint32_t size;
  uint32_t flags;
  twinmq_text name; /* letters, digits and _; not case-sensitive */
  void* context;
  void (*call)(void* context, const twinmq_value* arguments, size_t count, twinmq_answer* answer);
} twinmq_function;

/* A function over the values of a window. Always fast. One group is used by one thread at a time.
 */
typedef struct twinmq_aggregate {
  uint32_t size;
  uint32_t reserved;
  twinmq_text name;
  void* context;
  void* (*begin)(void* context); /* NULL: it failed */
  void (*add)(void* group, const twinmq_value* value);
  void (*finish)(void* group, twinmq_answer* answer);
  void (*end)(void* group);
} twinmq_aggregate;

/* --- Actions of rules: where results go ---------------------------------------------------------
 */

typedef struct twinmq_entry {
  uint32_t size;
  uint32_t reserved;
  twinmq_text id; /* the same at every attempt: receivers recognise duplicates by it */
  twinmq_text topic;
  twinmq_text content_type;
  twinmq_text payload;
  int64_t at; /* milliseconds since 1970 */
} twinmq_entry;

typedef enum twinmq_delivery {
  TWINMQ_RETRY = 0,     /* later again, all of it */
  TWINMQ_DELIVERED = 1, /* every entry is safe at the receiver */
  TWINMQ_REFUSED = 2    /* the first entry will never be taken: it becomes a dead letter */
} twinmq_delivery;

/* A sink is used by one thread at a time, except for cancel(). */
typedef struct twinmq_action {
  uint32_t size;
  uint32_t reserved;
  twinmq_text name;
  void* context;
  void* (*open)(void* context, const twinmq_value* options,
                twinmq_answer* answer); /* NULL: it failed */
  /* twinmq_delivery; at least once: after a crash the same entries come again. A failure's text is
     logged. */
  uint32_t (*deliver)(void* sink, const twinmq_entry* const* entries, size_t count,
                      twinmq_answer* answer);
  void (*cancel)(void* sink); /* any thread: deliver() shall return soon. May be NULL. */
  void (*close)(void* sink);
} twinmq_action;

/* --- Doors of the broker ------------------------------------------------------------------------
 */

typedef struct twinmq_message {
  uint32_t size;
  uint8_t qos;
  uint8_t retain;
  uint16_t reserved;
  twinmq_text topic;
  twinmq_text payload;
  twinmq_text client_id; /* of the publisher */
  twinmq_text principal; /* its authenticated name; empty: none */
} twinmq_message;

typedef enum twinmq_transform {
  TWINMQ_KEEP = 0,
  TWINMQ_CHANGE = 1, /* the text that was given replaces the payload */
  TWINMQ_DROP = 2    /* goes nowhere; the publisher is told that all is well */
} twinmq_transform;

/* Sees each message of a client once, before it is routed. Always fast, several at once. A failure
   drops the message, and the publisher is told so. */
typedef struct twinmq_transformation {
  uint32_t size;
  uint32_t reserved;
  twinmq_text name;
  void* context;
  uint32_t (*transform)(void* context, const twinmq_message* message, twinmq_answer* answer);
} twinmq_transformation;

typedef struct twinmq_credentials {
  uint32_t size;
  uint8_t has_username;
  uint8_t has_password;
  uint8_t anonymous_allowed;
  uint8_t reserved;
  twinmq_text client_id;
  twinmq_text username;
  twinmq_text password;
  twinmq_text peer;                /* address and port */
  twinmq_text listener;            /* its name */
  twinmq_text certificate_subject; /* empty: no client certificate */
} twinmq_credentials;

typedef enum twinmq_verdict {
  TWINMQ_PASS = 0,  /* no opinion: the next plugin is asked, then the broker's own files */
  TWINMQ_ALLOW = 1, /* an authenticator gives the principal as a text; nothing: the user name */
  TWINMQ_DENY = 2   /* a text that an authenticator gives is the reason that the client sees */
} twinmq_verdict;

/* Asked on a worker; without answer at its deadline the client is refused. */
typedef struct twinmq_authenticator {
  uint32_t size;
  uint32_t reserved;
  twinmq_text name;
  void* context;
  uint32_t (*authenticate)(void* context, const twinmq_credentials* credentials,
                           twinmq_answer* answer);
} twinmq_authenticator;

typedef enum twinmq_access {
  TWINMQ_PUBLISH = 0,
  TWINMQ_SUBSCRIBE = 1, /* topic is a filter */
  TWINMQ_RECEIVE = 2
} twinmq_access;

typedef struct twinmq_question {
  uint32_t size;
  uint8_t access; /* twinmq_access */
  uint8_t qos;
  uint8_t retain;
  uint8_t reserved;
  twinmq_text topic;
  twinmq_text principal;
  twinmq_text client_id;
  twinmq_text username;
  twinmq_text peer;
  twinmq_text listener;
} twinmq_question;

/* Asked also before each delivery; otherwise who may subscribe may receive. */
#define TWINMQ_ASK_RECEIVE 1u

/* Always fast, several at once. A failure is a denial. */
typedef struct twinmq_authorizer {
  uint32_t size;
  uint32_t flags;
  twinmq_text name;
  void* context;
  uint32_t (*may)(void* context, const twinmq_question* question, twinmq_answer* answer);
} twinmq_authorizer;

/* --- The broker, as plugins see it --------------------------------------------------------------
 */

typedef enum twinmq_level {
  TWINMQ_DEBUG = 0,
  TWINMQ_INFO = 1,
  TWINMQ_WARNING = 2,
  TWINMQ_ERROR = 3
} twinmq_level;

/* The add functions belong to open(); they answer 0 when the name is taken or no name. What they
   get is copied. log() may be called on any thread until close(). */
typedef struct twinmq_host {
  uint32_t size;
  uint32_t abi; /* of the broker */
  void* broker;
  twinmq_text name;            /* of the plugin, in the configuration */
  const twinmq_value* options; /* an object: `options` of the configuration; holds until close() */
  void (*log)(const struct twinmq_host* host, uint32_t level, twinmq_text text);
  int (*add_function)(const struct twinmq_host* host, const twinmq_function* function);
  int (*add_aggregate)(const struct twinmq_host* host, const twinmq_aggregate* aggregate);
  int (*add_action)(const struct twinmq_host* host, const twinmq_action* action);
  int (*add_transformation)(const struct twinmq_host* host,
                            const twinmq_transformation* transformation);
  int (*add_authenticator)(const struct twinmq_host* host,
                           const twinmq_authenticator* authenticator);
  int (*add_authorizer)(const struct twinmq_host* host, const twinmq_authorizer* authorizer);
} twinmq_host;

TWINMQ_PLUGIN_EXPORT uint32_t twinmq_plugin_abi(void);
TWINMQ_PLUGIN_EXPORT void* twinmq_plugin_open(const twinmq_host* host, twinmq_answer* answer);
TWINMQ_PLUGIN_EXPORT void twinmq_plugin_close(void* plugin);

#ifdef __cplusplus
}
#endif
