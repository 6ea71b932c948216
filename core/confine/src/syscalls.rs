//! Which system calls are refused.
//!
//! A list of what is forbidden rather than of what is allowed: an allow-list breaks work when libc, an allocator or a
//! library makes a call that it did not make before, on a customer's machine and not on ours. What matters (network,
//! programs, processes, files, other processes, the kernel's back doors) is a closed list, and a new call that goes
//! round it would still meet the resource limits and Landlock. Refused calls fail with `EPERM`; the process goes on.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Calls that libc does not name for every architecture; their numbers are the same on all.
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const FILE_SETATTR: c_long = 469;

/// Refused whatever the arguments.
const NEVER: &[c_long] = &[
    // Network. `socketpair` is below.
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    // Does any of the others without calling it.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes. `kill` and `tgkill` are below.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_kcmp,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_ioprio_set,
    // Files: nothing is made, changed or removed. `open` for writing is below.
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_renameat2,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    // Memory that the limit does not count, or that others can see.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    // The machine.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_personality,
];

/// Older forms of some of them, which newer architectures never had.
#[cfg(target_arch = "x86_64")]
const NEVER_EITHER: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_EITHER: &[c_long] = &[libc::SYS_renameat, libc::SYS_kexec_file_load];

/// Applies the filters to this thread, and to those that it starts.
pub(super) fn forbid() -> Result<(), Error> {
    let mut rules = conditional()?;
    rules.extend(
        NEVER
            .iter()
            .chain(NEVER_EITHER)
            .map(|number| (*number, Vec::new())),
    );
    let refused = with_x32(rules);
    // Their arguments lie in memory, where a filter cannot look. Told that the kernel is too old for them, libc uses the
    // calls that came before.
    let unknown = [libc::SYS_clone3, libc::SYS_openat2]
        .map(|number| (number, Vec::new()))
        .into();
    for (rules, errno) in [(with_x32(unknown), libc::ENOSYS), (refused, libc::EPERM)] {
        apply_filter(&compile(rules, errno)?)?;
    }
    Ok(())
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

/// Refused for some arguments: several rules for a call are alternatives.
fn conditional() -> Result<Rules, BackendError> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let when = |argument, operator, value: i64| {
        SeccompCondition::new(argument, Dword, operator, value.cast_unsigned())
            .and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let bits = |argument, mask: i32, value: i32| {
        when(
            argument,
            MaskedEq(u64::from(mask.unsigned_abs())),
            i64::from(value),
        )
    };
    let own = i64::from(std::process::id());
    // Opening a file in a way that could change it.
    let opening = |flags| {
        [
            bits(flags, libc::O_ACCMODE, libc::O_WRONLY),
            bits(flags, libc::O_ACCMODE, libc::O_RDWR),
            bits(flags, libc::O_CREAT, libc::O_CREAT),
            bits(flags, libc::O_TRUNC, libc::O_TRUNC),
        ]
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
    };
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    Ok(Rules::from([
        // A thread is fine, a process is not.
        (libc::SYS_clone, vec![bits(0, libc::CLONE_THREAD, 0)?]),
        // `abort` signals itself.
        (libc::SYS_kill, vec![when(0, Ne, own)?]),
        (libc::SYS_tgkill, vec![when(0, Ne, own)?]),
        (libc::SYS_prlimit64, vec![when(0, Ne, 0)?]),
        // An asynchronous runtime wakes itself through a pair, which leads nowhere.
        (libc::SYS_socketpair, vec![when(0, Ne, i64::from(libc::AF_UNIX))?]),
        // Such memory is not counted by the limit.
        (libc::SYS_mmap, vec![bits(3, shared, shared)?]),
        // Typing into the terminal that the server was started from.
        (
            libc::SYS_ioctl,
            vec![
                when(1, Eq, libc::TIOCSTI.try_into().unwrap_or(0x5412))?,
                when(1, Eq, 0x541c)?,
            ],
        ),
        (libc::SYS_openat, opening(2)?),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, opening(1)?),
    ]))
}

/// The same for the x32 calling convention, which x86-64 kernels may also have: the numbers with one bit set, and some
/// of their own (from 512 on).
#[cfg(target_arch = "x86_64")]
fn with_x32(mut rules: Rules) -> Rules {
    const X32: c_long = 0x4000_0000;
    let same: Vec<_> = rules
        .iter()
        .map(|(number, rules)| (number | X32, rules.clone()))
        .collect();
    rules.extend(same);
    rules.extend((512..548).map(|number| (number | X32, Vec::new())));
    rules
}
#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}
