//! The boot plan, beside the floor and an Erlang baseline, under Criterion.

mod common;

use std::time::Duration;

use common::boot::Boot;
use common::erlang::Erlang;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};

fn boot(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut baseline = Erlang::start(root.path(), "boot_baseline");
    for size in [100, 1_000, 10_000] {
        let work = Boot::make(root.path(), size);
        let mut group = criterion.benchmark_group("boot");
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .throughput(Throughput::Elements(size as u64))
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        for threads in [1, 2] {
            let floor = BenchmarkId::new(format!("floor/{threads}"), size);
            group.bench_function(floor, |bencher| bencher.iter(|| work.floor(threads)));
            let engine = BenchmarkId::new(format!("engine/{threads}"), size);
            group.bench_function(engine, |bencher| bencher.iter(|| work.ours(threads)));
        }
        group.bench_function(BenchmarkId::new("tuned", size), |bencher| {
            bencher.iter_custom(|count| (0..count).map(|_| work.erlang(&mut baseline)).sum());
        });
    }
}

criterion_group!(benches, boot);
criterion_main!(benches);
