/* SPDX-License-Identifier: MIT */
/* Fibers: six registers and a stack pointer on x86-64 (swapcontext makes a system call each time),
 * the C library's contexts elsewhere. AddressSanitizer is told of every switch. */
#include "tests/cuda/emu_fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
enum { STACK = 512 << 10 }; /* its frames are larger */
static const void *main_stack;
static size_t main_bytes;
#else
enum { STACK = 64 << 10 };
#endif

static void leave(struct fn_fiber *from, const struct fn_fiber *to)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from->shadow, to->stack ? to->stack : main_stack,
                                   to->stack ? to->stack_bytes : main_bytes);
#else
    (void)from, (void)to;
#endif
}

/* `f` is running again, or (NULL) for the first time. */
static void arrive(struct fn_fiber *f)
{
#if defined(__SANITIZE_ADDRESS__)
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(f ? f->shadow : NULL, &stack, &bytes);
    if (!main_stack) { /* the first switch ever comes from the host's stack */
        main_stack = stack;
        main_bytes = bytes;
    }
#else
    (void)f;
#endif
}

#if defined(__x86_64__)
/* Saves what a call must keep, changes stacks, and returns to where the other one saved. */
void fn_fiber_jump(void **save, void *load);
__asm__(".text\n"
        ".globl fn_fiber_jump\n"
        ".type fn_fiber_jump, @function\n"
        "fn_fiber_jump:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n    mov %rsi, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n"
        ".size fn_fiber_jump, . - fn_fiber_jump\n");
#endif

void fn_fiber_main(struct fn_fiber *f)
{
    f->stack = NULL;
}

void fn_fiber_open(struct fn_fiber *f, void (*body)(void))
{
    f->stack_bytes = STACK;
    f->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->stack == MAP_FAILED) {
        fprintf(stderr, "emulator: no memory for a stack\n");
        abort();
    }
#if defined(__x86_64__)
    /* As if body had been called: the stack is 8 beside a multiple of 16 at its first instruction.
     */
    void **top = (void **)(void *)(f->stack + STACK) - 2;
    memcpy(top, &body, sizeof body);
    f->stack_pointer = top - 6;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    makecontext(&f->context, body, 0);
#endif
}

void fn_fiber_close(struct fn_fiber *f)
{
    if (f->stack)
        munmap(f->stack, f->stack_bytes);
    f->stack = NULL;
}

void fn_fiber_begin(void)
{
    arrive(NULL);
}

void fn_fiber_switch(struct fn_fiber *from, struct fn_fiber *to)
{
    leave(from, to);
#if defined(__x86_64__)
    fn_fiber_jump(&from->stack_pointer, to->stack_pointer);
#else
    swapcontext(&from->context, &to->context);
#endif
    arrive(from);
}
