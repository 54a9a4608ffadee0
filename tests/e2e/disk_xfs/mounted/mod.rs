//! What takes an XFS file system with project quotas: a kernel with both, as that of the VM.

mod figures;
mod ids;
mod leases;
mod limits;
mod options;
mod rights;
mod volumes;
