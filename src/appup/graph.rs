//! Strongly connected components and constrained orders, without recursion, because the input
//! determines the number of modules.

/// The edges from each node to those that must come after it.
#[derive(Clone, Debug)]
pub struct Graph {
    after: Vec<Vec<u32>>,
}

impl Graph {
    /// `nodes` nodes without an edge.
    pub fn new(nodes: usize) -> Self {
        Self {
            after: vec![Vec::new(); nodes],
        }
    }

    /// Adds the constraint that `before` comes before `after`; a constraint of a node on itself is
    /// ignored.
    pub fn add(&mut self, before: usize, after: usize) {
        if before != after
            && let Ok(node) = u32::try_from(after)
        {
            self.after[before].push(node);
        }
    }

    fn len(&self) -> usize {
        self.after.len()
    }

    /// Every edge.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let pairs = |(from, targets): (usize, &Vec<u32>)| {
            targets
                .iter()
                .map(move |&to| (from, to as usize))
                .collect::<Vec<_>>()
        };
        self.after.iter().enumerate().flat_map(pairs)
    }

    /// The number of each node's component; nodes that reach each other share one (Tarjan 1972).
    pub fn components(&self) -> Vec<usize> {
        Tarjan::new(self).run()
    }

    /// Orders the nodes by `rank`, but each after those that must precede it, which are moved
    /// before it. In a cycle, the edges that the first visit meets count.
    pub fn order(&self, rank: &[usize]) -> Vec<usize> {
        let mut before = vec![Vec::new(); self.len()];
        for (from, to) in self.edges() {
            before[to].push(from);
        }
        for list in &mut before {
            // Nodes are taken from the end.
            list.sort_unstable_by_key(|&node| std::cmp::Reverse(rank[node]));
        }
        let mut roots: Vec<_> = (0..self.len()).collect();
        roots.sort_by_key(|&node| rank[node]);
        let mut visited = vec![false; self.len()];
        let mut order = Vec::with_capacity(self.len());
        let mut path = Vec::new();
        for root in roots {
            if !std::mem::replace(&mut visited[root], true) {
                path.push(root);
            }
            while let Some(&node) = path.last() {
                step();
                match before[node].pop() {
                    Some(earlier) if !std::mem::replace(&mut visited[earlier], true) => {
                        path.push(earlier)
                    }
                    Some(_) => {}
                    None => order.extend(path.pop()),
                }
            }
        }
        order
    }
}

const UNSEEN: usize = usize::MAX;

/// A step of one of the searches, which tests count.
fn step() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many steps the searches of this thread take while `work` is done.
#[cfg(test)]
pub fn steps(work: impl FnOnce()) -> usize {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

struct Tarjan<'a> {
    graph: &'a Graph,
    index: Vec<usize>,
    low: Vec<usize>,
    component: Vec<usize>,
    stack: Vec<usize>,
    next: usize,
    found: usize,
}

impl<'a> Tarjan<'a> {
    fn new(graph: &'a Graph) -> Self {
        let unseen = vec![UNSEEN; graph.len()];
        Self {
            graph,
            index: unseen.clone(),
            low: unseen.clone(),
            component: unseen,
            stack: Vec::new(),
            next: 0,
            found: 0,
        }
    }

    fn run(mut self) -> Vec<usize> {
        for root in 0..self.graph.len() {
            if self.index[root] == UNSEEN {
                self.visit(root);
            }
        }
        self.component
    }

    fn enter(&mut self, node: usize) {
        self.index[node] = self.next;
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
    }

    // The path holds each node and the number of its edges that have been followed.
    fn visit(&mut self, root: usize) {
        self.enter(root);
        let mut path = vec![(root, 0)];
        while let Some((node, followed)) = path.last_mut() {
            step();
            let node = *node;
            let Some(&target) = self.graph.after[node].get(*followed) else {
                path.pop();
                self.leave(node);
                if let Some(&(parent, _)) = path.last() {
                    self.low[parent] = self.low[parent].min(self.low[node]);
                }
                continue;
            };
            *followed += 1;
            let target = target as usize;
            if self.index[target] == UNSEEN {
                self.enter(target);
                path.push((target, 0));
            } else if self.component[target] == UNSEEN {
                self.low[node] = self.low[node].min(self.index[target]);
            }
        }
    }

    fn leave(&mut self, node: usize) {
        if self.low[node] != self.index[node] {
            return;
        }
        while let Some(member) = self.stack.pop() {
            self.component[member] = self.found;
            if member == node {
                break;
            }
        }
        self.found += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::new(nodes);
        for &(before, after) in edges {
            graph.add(before, after);
        }
        graph
    }

    #[track_caller]
    fn case(nodes: usize, edges: &[(usize, usize)], expected: &[usize]) {
        let rank: Vec<_> = (0..nodes).collect();
        assert_eq!(graph(nodes, edges).order(&rank), expected);
    }

    #[test]
    fn without_edges_the_rank_holds() {
        case(3, &[], &[0, 1, 2]);
    }

    #[test]
    fn what_must_precede_is_pulled_forward() {
        case(4, &[(3, 1)], &[0, 3, 1, 2]);
        case(4, &[(3, 2), (2, 0)], &[3, 2, 0, 1]);
    }

    #[test]
    fn components_are_the_cycles() {
        let components = graph(5, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)]).components();
        assert_eq!(components[0], components[1]);
        assert_eq!(components[1], components[2]);
        assert_ne!(components[2], components[3]);
        assert_ne!(components[3], components[4]);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let edges: Vec<_> = (1..200_000).map(|node| (node, node - 1)).collect();
        let order: Vec<_> = (0..200_000).rev().collect();
        case(200_000, &edges, &order);
        assert_eq!(graph(200_000, &edges).components().len(), 200_000);
    }
}
