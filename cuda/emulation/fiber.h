#pragma once

#include <pthread.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

/**
 * Fibers: stacks between which a program changes by a function call. swapcontext would do, but it makes a system call
 * each time to save a signal mask that no kernel has; saving six registers is some fifty times faster.
 */
namespace kofn::emulation {

#if defined(__x86_64__)
/** Saves the calling stack's pointer in *save and goes on where the stack `load` was left. */
__attribute__((naked, noinline)) inline void switch_stack(void** /* save: rdi */, void* /* load: rsi */) {
    // The registers that a function must leave as they were (System V ABI, x86-64).
    asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n"
        "movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
        "ret\n");
}
#endif

/** A stack and where it was left. A fiber's function never returns: fibers are used again for block after block. */
class Fiber {
public:
    /** What the program runs on already. */
    static Fiber of_caller() {
        Fiber fiber;
        pthread_attr_t attributes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &fiber.stack_, &fiber.size_);
        pthread_attr_destroy(&attributes);
        return fiber;
    }

    /** A new stack, on which `entry` begins when the fiber is first switched to. */
    static Fiber starting(void (*entry)()) {
        const std::size_t page = 4096;
        Fiber fiber;
        fiber.size_ = 256 * 1024;
        void* memory = mmap(nullptr, fiber.size_ + page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) {  // a guard: overflow is a fault
            std::perror("stack of an emulated thread");
            std::abort();
        }
        fiber.stack_ = static_cast<char*>(memory) + page;
#if defined(__x86_64__)
        // Six registers to restore, the address to return to, and one word more: at the entry of a function the stack
        // is 8 bytes off a multiple of 16.
        std::uintptr_t* top = reinterpret_cast<std::uintptr_t*>(static_cast<char*>(fiber.stack_) + fiber.size_) - 8;
        top[6] = reinterpret_cast<std::uintptr_t>(entry);
        fiber.pointer_ = top;
#else
        fiber.context_ = new ucontext_t;
        getcontext(fiber.context_);
        fiber.context_->uc_stack.ss_sp = fiber.stack_;
        fiber.context_->uc_stack.ss_size = fiber.size_;
        fiber.context_->uc_link = nullptr;
        makecontext(fiber.context_, entry, 0);
#endif
        return fiber;
    }

    /** Leaves this fiber, which is the one that runs, for another; returns when someone switches back. */
    void switch_to(Fiber& other) {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_start_switch_fiber(&shadow_, other.stack_, other.size_);
#endif
#if defined(__x86_64__)
        switch_stack(&pointer_, other.pointer_);
#else
        if (context_ == nullptr) {
            context_ = new ucontext_t;
        }
        swapcontext(context_, other.context_);
#endif
        arrived();
    }

    /** To be called first on a new stack: tells AddressSanitizer that the change is complete. */
    void arrived() {
#if defined(__SANITIZE_ADDRESS__)
        __sanitizer_finish_switch_fiber(shadow_, nullptr, nullptr);
#endif
    }

private:
    void* stack_ = nullptr;
    std::size_t size_ = 0;
#if defined(__x86_64__)
    void* pointer_ = nullptr;
#else
    ucontext_t* context_ = nullptr;
#endif
#if defined(__SANITIZE_ADDRESS__)
    void* shadow_ = nullptr;
#endif
};

}  // namespace kofn::emulation
