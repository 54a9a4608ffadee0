//! What `usage` says.

use crate::disk_xfs::{MB, du, host, id, resources, script, usage};

#[test]
fn what_is_used_is_what_du_and_the_kernel_say() {
    let host = host!();
    let script = script(&host, "mkdir -p deep/er; put deep/er/file 3; for i in 1 2 3 4 5 6 7 8 9; do echo $i > deep/$i; done; ln deep/1 deep/hard;
         ln -s /etc deep/link; dd if=/dev/zero of=sparse bs=4k count=1 seek=10000; mkfifo deep/fifo; sync; mark done; await go");
    let container = host.task(&script).resources(resources(1.0)).launch();
    host.told(&container, "done");
    let (limit, used) = usage(&container);
    let used = used.unwrap();
    assert_eq!(limit, Some(MB), "said, and not enforced");
    assert_eq!(used, du(&container.path(".")));
    assert_eq!(host.disk.report(id(&container)), Some([used, 0, 0]));
    assert!(used > 3 * MB);
    host.tell(&container, "go");
    container.complete().assert_status(0);
    host.assert_nothing_left();
}
