/* SPDX-License-Identifier: MIT */
/* Fibers: a stack and a place to go on from. Inside the emulator only. */
#ifndef FN_TESTS_CUDA_EMU_FIBER_H
#define FN_TESTS_CUDA_EMU_FIBER_H

#include <stddef.h>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

struct fn_fiber {
    char *stack; /* NULL: the host's own */
    size_t stack_bytes;
    void *shadow; /* AddressSanitizer's */
#if defined(__x86_64__)
    void *stack_pointer;
#else
    ucontext_t context;
#endif
};

/* The stack that everything started on; call it before any other. */
void fn_fiber_main(struct fn_fiber *f);
/* A new one, which will begin with body(); body never returns. Stops the program without memory. */
void fn_fiber_open(struct fn_fiber *f, void (*body)(void));
void fn_fiber_close(struct fn_fiber *f);
/* First thing in a body; then leave `from` for `to`, and return when somebody comes back. */
void fn_fiber_begin(void);
void fn_fiber_switch(struct fn_fiber *from, struct fn_fiber *to);

#endif
